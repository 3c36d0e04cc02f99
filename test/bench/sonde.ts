// Ours as a subject: compiled as for publishing, and started as a user starts it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { cleanEnv } from "../support/collector-process.ts";
import { until } from "../support/until.ts";
import { cores } from "./cores.ts";
import type { Running, Subject } from "./subjects.ts";

export interface SondeOptions {
  readonly name: string;
  /** Of node: the program, with options before it. */
  readonly args: readonly string[];
  /** The variable that has the sink's address; that of the OTLP output unless told otherwise. */
  readonly destination?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** sonde.yaml: steps, and the names of the steps of each output. */
  readonly config?: object;
}

export function sondeSubject(options: SondeOptions): Subject {
  const { name } = options;
  const { args, config, destination = "SONDE_OTLP_ENDPOINT" } = options;
  return {
    name,
    share: 1,
    isDurable: true,
    start: ({ sinkUrl, folder }) =>
      startSonde({ args, folder, config, env: { [destination]: sinkUrl, ...options.env } }),
  };
}

interface SondeStart extends Pick<SondeOptions, "args" | "env"> {
  readonly folder: string;
  readonly config?: object | undefined;
}

export async function startSonde({
  args,
  folder,
  config,
  env: more,
}: SondeStart): Promise<Running & { readonly metrics: string }> {
  if (config) writeFileSync(join(folder, "sonde.yaml"), JSON.stringify(config)); // JSON is YAML
  const env = cleanEnv({
    SONDE_DATA_DIR: join(folder, "data"),
    SONDE_OTLP_HTTP_PORT: "0",
    SONDE_OTLP_GRPC_PORT: "0",
    SONDE_WEB_PORT: "0",
    SONDE_PROMETHEUS_PORT: "off",
    ...more,
  });
  const stdio: ["ignore", "pipe", "inherit"] = ["ignore", "pipe", "inherit"];
  const begin = performance.now();
  const [file, ...words] = [...cores.collector, process.execPath, ...args, "serve"];
  const child = spawn(file, words, { env, cwd: folder, stdio });
  const exit = once(child, "exit");
  let output = "";
  let readyMs = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    if (urlOf("OTLP/gRPC")) readyMs ||= performance.now() - begin; // what it listens on last
  });
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await exit;
  };
  const urlOf = (what: string): string | undefined =>
    new RegExp(`${what} on (\\S+)\n`).exec(output)?.[1];
  try {
    const grpc = await until("sonde is ready", () => {
      if (child.exitCode !== null) throw new Error(`sonde ended: ${output}`);
      return urlOf("OTLP/gRPC");
    });
    const [http = "", metrics = ""] = [urlOf("OTLP/HTTP"), urlOf("Prometheus metrics")];
    return { pid: child.pid ?? 0, http, grpc, metrics, readyMs, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
