// What can be set of an output to an OTLP server.

import { z } from "zod";
import { bytes, path, secret, signals } from "../../config/fields.ts";
import { readMaterial, type TlsSettings } from "../tls-files.ts";

// What HTTP and gRPC both carry: gRPC takes names that end in -bin for binary.
const headerName = z
  .string()
  .regex(/^[\w.-]+(?<!-bin)$/, "is not the name of a header; use letters, digits, _ . and -");
const headerValue = z
  .string()
  .regex(/^[\x20-\x7e]*$/, "is not the value of a header; use printable ASCII");

const notHeaders =
  "is not a list of headers; give name: value, or in a variable name=value,name2=value2";

const KiB = 1024;
const MiB = 1024 * KiB;

const fields = z.strictObject({
  /** http(s):// is OTLP/HTTP, to which /v1/traces and so on are added; grpc(s):// is OTLP/gRPC. */
  endpoint: z.string().superRefine((given, context) => {
    const problem = problemOfEndpoint(given);
    if (problem) context.addIssue({ code: "custom", message: problem });
  }),
  headers: secret(
    z.record(headerName, headerValue, {
      error: ({ code }) => (code === "invalid_type" ? notHeaders : undefined),
    }),
  ).default({}),
  compression: z.enum(["none", "gzip", "zstd"]).default("none"),
  /** Whom to trust, in place of the well-known authorities. */
  certificate: path().optional(),
  /** Who we are, for servers that ask. */
  client_certificate: path().optional(),
  client_key: path().optional(),
  /** For one request. */
  timeout_ms: z.int().min(1).max(600_000).default(10_000),
  /** Requests that may be on their way at a time; with 1 they arrive in order. */
  max_in_flight: z.int().min(1).max(64).default(4),
  /**
   * Before compression. Batches are merged up to it, and split above it. gRPC servers take 4 MiB unless
   * told otherwise; larger requests than the default cost memory and save nothing.
   */
  max_request_bytes: bytes({ min: 64 * KiB, max: 64 * MiB }).default(2 * MiB),
  max_request_items: z.int().min(1).max(1_000_000).default(10_000),
  signals: signals().default(["traces", "metrics", "logs"]),
});

type Fields = z.output<typeof fields>;
type Check = (settings: Fields, context: z.core.$RefinementCtx) => void;

export const settings = fields.superRefine(compare());

/** Jaeger takes OTLP, but spans only. */
export const jaegerSettings = fields
  .extend({ signals: signals().default(["traces"]) })
  .superRefine(compare());

export type OtlpSettings = Fields;

function problemOfEndpoint(endpoint: string): string | undefined {
  const url = URL.parse(endpoint);
  if (!url || url.hostname === "" || !/^(http|grpc)s?:\/\/[^/\s]\S*$/.test(endpoint)) {
    return "is not an OTLP address; give one such as http://localhost:4318 or grpc://localhost:4317";
  }
  if (/[?#]/.test(endpoint)) return "has a ? or #; an OTLP address ends with the path";
  if (url.protocol.startsWith("http")) {
    const isWhole = /\/v1\/(traces|metrics|logs)\/*$/.test(url.pathname);
    return isWhole ? "must end before /v1/…, which is added for each signal" : undefined;
  }
  if (url.port === "") return "must have a port, for gRPC usually :4317";
  if (!["", "/"].includes(url.pathname)) return "must end with the port: gRPC has no path";
  if (url.username || url.password) return "must not have a user: gRPC takes it as a header";
  return undefined;
}

/** What only shows when settings are seen together. */
function compare(): Check {
  return (given, context) => {
    const { endpoint, compression } = given;
    const problem = (name: keyof Fields, message: string): void =>
      context.addIssue({ code: "custom", path: [name], message });
    if (compression === "zstd" && endpoint.startsWith("grpc")) {
      problem("compression", "is for http:// and https://; over gRPC give gzip");
    }
    const files = tlsFilesOf(given);
    const [first] = files;
    if (first === undefined) return;
    if (!/^(http|grpc)s:/.test(endpoint)) {
      problem(first, "is for https:// and grpcs:// only, which the endpoint is not");
    } else if (given.client_certificate === undefined && given.client_key !== undefined) {
      problem("client_key", "needs client_certificate");
    } else if (given.client_key === undefined && given.client_certificate !== undefined) {
      problem("client_certificate", "needs client_key");
    } else checkFiles(given, problem);
  };
}

const tlsFiles = ["certificate", "client_certificate", "client_key"] as const;

function tlsFilesOf(given: TlsSettings): (typeof tlsFiles)[number][] {
  return tlsFiles.filter((name) => given[name] !== undefined);
}

function checkFiles(
  given: TlsSettings,
  problem: (name: (typeof tlsFiles)[number], message: string) => void,
): void {
  const { certificate, client_certificate, client_key } = given;
  const check = (name: (typeof tlsFiles)[number], part: TlsSettings): void => {
    try {
      readMaterial(part);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const isFile = code !== undefined && !code.startsWith("ERR_");
      problem(name, isFile ? `cannot be read: ${code}` : `cannot be used: ${message}`);
    }
  };
  if (certificate !== undefined) check("certificate", { certificate });
  if (client_certificate !== undefined) {
    check("client_certificate", { client_certificate });
    check("client_key", { client_certificate, client_key });
  }
}
