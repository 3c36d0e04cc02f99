// The settings that are not of an output: names as in sonde.yaml, limits and defaults. Everything else
// about them — types, variables, checks, the listing of `sonde check` — follows from here.

import { BlockList, isIP } from "node:net";
import { z } from "zod";
import type { OutputConfig } from "../components.ts";
import { problemOfToken } from "../access/token.ts";
import { bytes, path, port } from "./fields.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

export const general = z.strictObject({
  /** The log, the store, dead letters. */
  data_dir: z.string().min(1).default("./.sonde"),
  host: z.string().refine(isHost, "is not a host name or address").default("127.0.0.1"),
  /** Listen where other machines can reach us although nobody is asked who they are. */
  allow_unauthenticated: z.boolean().default(false),
  /** The bearer token that every listener asks for. */
  auth_token: z
    .string()
    .refine((token) => problemOfToken(token) === undefined, {
      error: ({ input }) => problemOfToken(String(input)),
    })
    .optional(),
  /** A file that has it instead, and is read again when it changes. */
  auth_token_file: path().optional(),
  /** In PEM form, for every listener; read again when the files change. */
  tls_cert: path().optional(),
  tls_key: path().optional(),
  /** Clients must have a certificate of one of these authorities. */
  tls_client_ca: path().optional(),
  otlp_grpc_port: port().default(4317),
  otlp_http_port: port().default(4318),
  /** The page, the API, health and the collector's own metrics. */
  web_port: port().default(4319),
  log: z.enum(["disk", "memory"]).default("disk"),
  /** Of payload that waits to be delivered. */
  log_max_bytes: bytes({ min: 64 * KiB, max: 64 * 1024 * GiB }).default(4 * GiB),
  /**
   * At that limit: skip moves outputs that are behind past the oldest data, if others are ahead, and
   * counts what they miss; refuse takes nothing more, as if every output had to have everything.
   */
  when_full: z.enum(["skip", "refuse"]).default("skip"),
  /** Of one request, after decompression. */
  request_max_bytes: bytes({ min: KiB, max: GiB }).default(64 * MiB),
  /** Of all requests that are being taken at a time. */
  requests_max_bytes: bytes({ min: KiB, max: 64 * GiB }).default(256 * MiB),
  /** Of each OTLP listener. */
  max_connections: z.int().min(1).max(1_000_000).default(10_000),
  /** Web pages that may send by OTLP/HTTP: their origins, or "*". */
  cors_origins: z
    .array(z.string().refine(isOrigin, 'is not an origin such as https://shop.example, or "*"'))
    .default([]),
});

export type General = z.output<typeof general>;

export type Config = {
  readonly [Name in keyof General as CamelCase<Name>]: General[Name];
} & { readonly outputs: readonly OutputConfig[] };

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

/** The settings as the collector reads them: `log_max_bytes` is `config.logMaxBytes`. */
export function toConfig(settings: General, outputs: readonly OutputConfig[]): Config {
  const renamed = Object.entries(settings).map(([name, value]) => [camelCase(name), value]);
  return { ...Object.fromEntries(renamed), outputs } as Config; // CamelCase says the same in types
}

function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** What more than one setting is needed for: which setting is wrong, and in what words. */
export function contradictions(settings: General): { name: keyof General; words: string }[] {
  const found: { name: keyof General; words: string }[] = [];
  const { host, request_max_bytes: one, requests_max_bytes: all } = settings;
  if (!settings.allow_unauthenticated && !asksWhoComes(settings) && !isLoopback(host)) {
    const words =
      "can be reached from other machines, and nobody is asked who they are; set auth_token " +
      "(SONDE_AUTH_TOKEN) or tls_client_ca (SONDE_TLS_CLIENT_CA), or, if everybody may come in, " +
      "allow_unauthenticated (SONDE_ALLOW_UNAUTHENTICATED) to true";
    found.push({ name: "host", words });
  }
  if (settings.auth_token !== undefined && settings.auth_token_file !== undefined) {
    found.push({
      name: "auth_token_file",
      words: "is too much beside auth_token; give one of them",
    });
  }
  const { tls_cert: cert, tls_key: key } = settings;
  if (cert !== undefined && key === undefined) {
    found.push({ name: "tls_cert", words: "needs its key, tls_key (SONDE_TLS_KEY)" });
  }
  for (const name of ["tls_key", "tls_client_ca"] as const) {
    if (settings[name] === undefined || cert !== undefined) continue;
    found.push({ name, words: "needs a certificate, tls_cert (SONDE_TLS_CERT)" });
  }
  if (one > all) {
    const words = `is too small, at least request_max_bytes (${one}) is needed`;
    found.push({ name: "requests_max_bytes", words });
  }
  return found;
}

function asksWhoComes({ auth_token, auth_token_file, tls_client_ca }: General): boolean {
  return [auth_token, auth_token_file, tls_client_ca].some((setting) => setting !== undefined);
}

/** Whether the token can be read by whoever is on the way: from other machines, without TLS. */
export function sendsTokenInClear({ host, authToken, authTokenFile, tlsCert }: Config): boolean {
  const hasToken = authToken !== undefined || authTokenFile !== undefined;
  return hasToken && tlsCert === undefined && !isLoopback(host);
}

function isOrigin(origin: string): boolean {
  return origin === "*" || (URL.parse(origin)?.origin === origin && !origin.includes("*"));
}

function isHost(host: string): boolean {
  return isIP(host) !== 0 || /^(?!-)[a-z\d-]{1,63}(\.[a-z\d-]{1,63}){0,20}\.?$/i.test(host);
}

export function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return /^localhost\.?$/i.test(host);
  const loopback = new BlockList();
  loopback.addSubnet("127.0.0.0", 8);
  loopback.addAddress("::1", "ipv6");
  return loopback.check(host, family === 4 ? "ipv4" : "ipv6");
}

/** Promised, but not here yet: to take them silently would be a lie. With all that begins so. */
export const unavailable = ["outputs.kafka", "outputs.store", "store"] as const;

/** Variables with our prefix that are not for the collector: the SDK's, the tests', Kubernetes'. */
export function isForeign(variable: string, value: string): boolean {
  if (/^SONDE_(CONFIG|ENGINE|IMAGE|PEERS|SETTINGS_TOLD|(BENCH|FUZZ|TEST)_.*)$/.test(variable)) {
    return true;
  }
  // Kubernetes sets these for every service whose name begins with ours, with an address as _PORT.
  if (/_SERVICE_(HOST|PORT)(_|$)|_PORT_\d+_(TCP|UDP|SCTP)(_|$)/.test(variable)) return true;
  return variable.endsWith("_PORT") && /^(tcp|udp|sctp):\/\//.test(value);
}
