// The real servers that tests run against. An address comes from SONDE_TEST_<NAME>_URL where that is
// set (point it at what docker-compose.yml starts; Jaeger's OTLP/gRPC is SONDE_TEST_JAEGER_OTLP_GRPC_URL),
// otherwise the server is started for this test file from ../shared/peers. Where neither is to be had
// the tests that need it are skipped, loudly and counted; with CI set that is a failure. Some tests stop a
// server or give it a configuration of its own: for these it has to be one that can be started here.

import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const program = fileURLToPath(new URL("../../../shared/peers/peers", import.meta.url));

export type PeerName =
  | "elasticsearch"
  | "go"
  | "jaeger"
  | "kafka"
  | "loki"
  | "opensearch"
  | "otelcol"
  | "postgres"
  | "prometheus"
  | "prometheus3"
  | "python"
  | "redis"
  | "victoria-metrics";

export interface Peer {
  /** What the start printed: url, otlp_grpc, otlp_http, …; only `url` for one that we did not start. */
  readonly address: Readonly<Record<string, string>>;
  readonly url: string;
  stop(): Promise<void>;
}

/** Not asked for where CI is set, since to build it takes as long as a good part of all tests. */
const apart: ReadonlySet<PeerName> = new Set<PeerName>(["prometheus3"]);

/** For `describe.skipIf(isAbsent("jaeger"))`. */
export function isAbsent(...names: PeerName[]): boolean {
  const missing = names.filter((name) => !process.env[variable(name)] && !installed().has(name));
  return isMissing(missing, `set ${missing.map((name) => variable(name)).join(", ")}, or `);
}

/** For tests that stop a server or configure it: one that somebody else has started will not do. */
export function cannotStart(...names: PeerName[]): boolean {
  const missing = names.filter((name) => process.env[variable(name)] || !installed().has(name));
  return isMissing(missing, "");
}

function isMissing(names: readonly PeerName[], otherwise: string): boolean {
  if (names.length === 0) return false;
  const list = names.join(", ");
  const what = `${list} cannot be had: ${otherwise}install with ../shared/peers/peers install`;
  if (process.env["CI"] && names.some((name) => !apart.has(name))) throw new Error(what);
  process.stderr.write(`\n  SKIPPED: ${what}\n\n`);
  return true;
}

/**
 * Java without its second compiler: what lives for a minute never gets back what that costs. Elasticsearch is
 * there after 18 s of CPU instead of 37 s, OpenSearch after 19 s instead of 30 s, Kafka after 7 s instead of 12 s.
 */
const startsQuickly = "-XX:TieredStopAtLevel=1";

/** Starts a server of its own port and folder; `config` and `args` as ../shared/peers describes them. */
export async function startPeer(
  name: PeerName,
  { config, args = [], dir, port = 0, under = [] }: StartOptions = {},
): Promise<Peer> {
  const given = process.env[variable(name)];
  if (given && !config) return { address: givenAddress(name), url: given, stop: async () => {} };
  const home = dir ?? mkdtempSync(join(tmpdir(), `sonde-${name}-`));
  const options = ["--port", String(port), "--dir", home, ...(config ? ["--config", config] : [])];
  const words = ["start", name, ...options, ...(args.length > 0 ? ["--", ...args] : [])];
  const [file = "", ...all] = [...under, program, ...words];
  const env = { ...process.env, JDK_JAVA_OPTIONS: startsQuickly };
  const { stdout } = await run(file, all, { env }).catch((error: unknown) => {
    if (!dir) rmSync(home, { recursive: true, force: true });
    throw error;
  });
  const address = Object.fromEntries(
    stdout
      .trim()
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  ) as Record<string, string>; // NAME=VALUE lines, as its README says
  return {
    address,
    url: address["url"] ?? "",
    async stop() {
      await run(program, ["stop", name, "--dir", home]);
      if (!dir) rmSync(home, { recursive: true, force: true });
    },
  };
}

export interface StartOptions {
  readonly config?: string;
  readonly args?: readonly string[];
  /** Kept after the stop, so that the same server can be started again with its data. */
  readonly dir?: string;
  readonly port?: number;
  /** A command that runs it, such as taskset with its options. */
  readonly under?: readonly string[];
}

export interface SendOptions {
  readonly endpoint: string;
  readonly protocol: "http" | "grpc";
  readonly count: number;
  /** For the client's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Spans, metrics and logs of a foreign SDK: Python's, or Go's in telemetrygen. */
export async function sendFrom(client: "go" | "python", options: SendOptions): Promise<void> {
  const { endpoint, protocol, count, env } = options;
  const words = ["send", client, endpoint, protocol, String(count)];
  await run(program, words, { env: { ...process.env, ...env } });
}

let known: ReadonlySet<string> | undefined;

function installed(): ReadonlySet<string> {
  if (known) return known;
  const lines = existsSync(program)
    ? execFileSync(program, ["list"], { encoding: "utf8" }).split("\n")
    : [];
  known = new Set(
    lines.filter((line) => / installed\b/.test(line)).map((line) => line.split(" ")[0] ?? ""),
  );
  return known;
}

function variable(name: string, address = ""): string {
  return `SONDE_TEST_${`${name}_${address}`.toUpperCase().replaceAll("-", "_")}_URL`.replace(
    /__/,
    "_",
  );
}

/** The addresses of a server that was not started here, by the names that a start would print. */
function givenAddress(name: string): Record<string, string> {
  const addresses = ["", "otlp_grpc", "otlp_http"].map((address): [string, string | undefined] => [
    address || "url",
    process.env[variable(name, address)],
  ]);
  return Object.fromEntries(addresses.filter((pair): pair is [string, string] => Boolean(pair[1])));
}
