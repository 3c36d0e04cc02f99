// The collector as a user runs it: a process of its own, started from source.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileCache } from "./compile-cache.ts";
import { until } from "./until.ts";

const main = fileURLToPath(new URL("../../collector/main.ts", import.meta.url));

export interface CollectorProcess {
  readonly pid: number;
  readonly dataDir: string;
  readonly otlpHttp: string;
  readonly otlpGrpc: string;
  readonly prometheus: string;
  readonly web: string;
  readonly stdout: () => string;
  readonly stderr: () => string;
  kill(
    signal: "SIGCONT" | "SIGKILL" | "SIGTERM",
  ): Promise<{ code: number | null; signal: string | null }>;
  /** Of one sample of its own /metrics, 0 where it is absent. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
}

export interface CollectorOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Kept by the caller; otherwise a new one, gone with the process. */
  readonly dataDir?: string;
  readonly args?: readonly string[];
  /** A command that runs it, such as strace with its options. */
  readonly under?: readonly string[];
  /** Before it is ready: the moment to decide how it will end. */
  readonly onSpawn?: (child: ChildProcess) => void;
}

/** What the process of a test sees of the environment: nothing of ours but this. */
export function cleanEnv(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { PATH = "", HOME = "", TMPDIR = "" } = process.env;
  return { PATH, HOME, ...(TMPDIR ? { TMPDIR } : {}), ...compileCache, ...more };
}

export async function startCollector(options: CollectorOptions = {}): Promise<CollectorProcess> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "sonde-data-"));
  mkdirSync(dataDir, { recursive: true });
  const anyPort = {
    SONDE_OTLP_HTTP_PORT: "0",
    SONDE_OTLP_GRPC_PORT: "0",
    SONDE_PROMETHEUS_PORT: "0",
    SONDE_WEB_PORT: "0",
  };
  const env = cleanEnv({ ...anyPort, SONDE_DATA_DIR: dataDir, ...options.env });
  const [program = "", ...args] = [
    ...(options.under ?? []),
    process.execPath,
    "--conditions=source",
    main,
    ...(options.args ?? []),
  ];
  const child = spawn(program, args, { env, cwd: dataDir, stdio: "pipe" });
  options.onSpawn?.(child);
  const output = collect(child);
  const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.on("close", (code, signal) => {
      if (!options.dataDir) rmSync(dataDir, { recursive: true, force: true });
      resolve({ code, signal });
    });
  });
  const web = await until("the collector is ready", async () => {
    if (child.exitCode !== null || child.signalCode !== null) return "ended";
    const url = urlIn(output.stdout, "health and own metrics");
    const isReady = url !== undefined && (await fetch(`${url}/readyz`)).ok;
    return isReady && areReceiversSaid(output.stdout, env) && url;
  }).catch((error: Error) => {
    child.kill("SIGKILL");
    throw new Error(`${error.message}: ${output.stderr}${output.stdout}`, { cause: error.cause });
  });
  if (web === "ended") {
    const { code, signal } = await exited;
    throw new Error(`it ended (${signal ?? code}): ${output.stderr}${output.stdout}`);
  }
  return {
    pid: child.pid ?? 0,
    dataDir,
    otlpHttp: urlIn(output.stdout, "OTLP/HTTP") ?? "",
    otlpGrpc: urlIn(output.stdout, "OTLP/gRPC") ?? "",
    prometheus: urlIn(output.stdout, "Prometheus metrics") ?? "",
    web,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    kill(signal) {
      child.kill(signal);
      return exited;
    },
    metric: async (name, labels = {}) => sampleOf(await metricsOf(web), name, labels),
  };
}

async function metricsOf(web: string): Promise<string> {
  return await (await fetch(`${web}/metrics`)).text();
}

/** The sum over all samples that have these labels. */
function sampleOf(text: string, name: string, labels: Readonly<Record<string, string>>): number {
  let sum = 0;
  for (const line of text.split("\n")) {
    if (!line.startsWith(`${name}{`) && !line.startsWith(`${name} `)) continue;
    const isMeant = Object.entries(labels).every(([key, value]) =>
      line.includes(`${key}="${value}"`),
    );
    if (isMeant) sum += Number(line.slice(line.lastIndexOf(" ")));
  }
  return sum;
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  return output;
}

/** Its answer over the network may be here before what it wrote earlier. */
function areReceiversSaid(stdout: string, env: Readonly<Record<string, string>>): boolean {
  const { SONDE_OTLP_HTTP_PORT: http, SONDE_OTLP_GRPC_PORT: grpc } = env;
  const isSaid = (what: string): boolean => urlIn(stdout, what) !== undefined;
  return (http === "off" || isSaid("OTLP/HTTP")) && (grpc === "off" || isSaid("OTLP/gRPC"));
}

function urlIn(text: string, what: string): string | undefined {
  return text
    .split("\n")
    .find((line) => line.includes(`${what} on `))
    ?.split(" on ")[1]
    ?.trim();
}
