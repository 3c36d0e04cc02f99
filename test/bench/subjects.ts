// The collectors that are measured: ours as it is published, and the Go collector in two settings.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cleanEnv } from "../support/collector-process.ts";
import { startPeer } from "../support/peers.ts";
import { until } from "../support/until.ts";

export interface Subject {
  readonly name: string;
  /** Starts it anew, forwarding to the sink; with memory and disk as empty as on the first day. */
  start(sinkUrl: string): Promise<Running>;
}

export interface Running {
  readonly pid: number;
  /** Where it takes OTLP. */
  readonly http: string;
  readonly grpc: string;
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

// ── sonde ────────────────────────────────────────────────────────────────────────────────────────

/** With its disk log, so that an acknowledged span survives kill -9 and a power cut. */
export function sonde(program: string, nodeArgs: readonly string[] = []): Subject {
  return { name: "sonde", start: (sinkUrl) => startSonde([...nodeArgs, program], sinkUrl) };
}

async function startSonde(args: readonly string[], sinkUrl: string): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), "sonde-bench-"));
  const env = cleanEnv({
    SONDE_DATA_DIR: folder,
    SONDE_OTLP_ENDPOINT: sinkUrl,
    SONDE_OTLP_HTTP_PORT: "0",
    SONDE_OTLP_GRPC_PORT: "0",
    SONDE_WEB_PORT: "0",
    SONDE_PROMETHEUS_PORT: "off",
  });
  const stdio: ["ignore", "pipe", "inherit"] = ["ignore", "pipe", "inherit"];
  const child = spawn(process.execPath, [...args, "serve"], { env, cwd: folder, stdio });
  const exit = once(child, "exit");
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await exit;
    rmSync(folder, { recursive: true, force: true });
  };
  const urlOf = (what: string): string | undefined =>
    new RegExp(`${what} on (\\S+)\n`).exec(output)?.[1];
  try {
    // gRPC is what it listens on last.
    const grpc = await until("sonde is ready", () => {
      if (child.exitCode !== null) throw new Error(`sonde ended: ${output}`);
      return urlOf("OTLP/gRPC");
    });
    return { pid: child.pid ?? 0, http: urlOf("OTLP/HTTP") ?? "", grpc, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Compiles it as for publishing, but into a folder of its own. */
export async function build(): Promise<{ readonly main: string; readonly remove: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), "sonde-bench-build-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  for (const name of ["node_modules", "package.json"]) {
    symlinkSync(join(root, name), join(folder, name));
  }
  const tsc = join(root, "node_modules/.bin/tsc");
  const dist = join(folder, "dist");
  const main = join(dist, "collector/main.js");
  const args = ["-p", join(root, "tsconfig.build.json"), "--outDir", dist];
  await promisify(execFile)(tsc, args).catch((error: Error & { readonly stdout?: string }) => {
    if (existsSync(main)) return; // what types are wrong, `npm run check` says
    remove();
    throw new Error(`sonde does not compile: ${error.stdout || error.message}`, { cause: error });
  });
  return { main, remove };
}

// ── the Go collector ─────────────────────────────────────────────────────────────────────────────

/** Its fastest: what it has acknowledged is in memory, and lost if it is killed. */
export const otelcolInMemory: Subject = {
  name: "otelcol, memory",
  start: (sinkUrl) => startOtelcol(sinkUrl, { isDurable: false }),
};

/** What sonde promises too: acknowledged means synced to disk. */
export const otelcolOnDisk: Subject = {
  name: "otelcol, disk",
  start: (sinkUrl) => startOtelcol(sinkUrl, { isDurable: true }),
};

async function startOtelcol(
  sinkUrl: string,
  { isDurable }: { readonly isDurable: boolean },
): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), "sonde-bench-otelcol-"));
  const config = join(folder, "otelcol.yaml");
  const text = JSON.stringify(otelcolConfig(sinkUrl, isDurable)); // JSON is YAML
  writeFileSync(config, text.replace('"${PORT_3}"', "${PORT_3}")); // a number, once filled in
  try {
    const peer = await startPeer("otelcol", { config });
    const { pid = "", otlp_http: http = "", otlp_grpc: grpc = "" } = peer.address;
    return { pid: Number(pid), http, grpc, stop: () => peer.stop() };
  } finally {
    rmSync(folder, { recursive: true, force: true }); // it has a copy
  }
}

/** $-names are filled in at the start. Both exporters would compress unless told not to; sonde does not. */
function otelcolConfig(sinkUrl: string, isDurable: boolean): object {
  const isHttp = sinkUrl.startsWith("http:");
  const exporter = isHttp ? "otlp_http" : "otlp_grpc";
  const destination = isHttp
    ? { endpoint: sinkUrl }
    : { endpoint: new URL(sinkUrl).host, tls: { insecure: true } };
  // Of the settings that keep the promise, those that cost it least: to wait instead of refusing what is
  // then sent again, and to batch behind the queue, where a batch that is lost is still in the queue.
  const queue = {
    storage: "file_storage",
    block_on_overflow: true,
    batch: { flush_timeout: "200ms", min_size: 8192, sizer: "items" },
  };
  return {
    extensions: {
      health_check: address("PORT_4"),
      ...(isDurable
        ? { file_storage: { directory: "${DIR}/queue", create_directory: true, fsync: true } }
        : {}),
    },
    receivers: { otlp: { protocols: { grpc: address("PORT"), http: address("PORT_1") } } },
    processors: isDurable ? {} : { batch: {} },
    exporters: {
      [exporter]: {
        ...destination,
        compression: "none",
        ...(isDurable ? { sending_queue: queue } : {}),
      },
    },
    service: {
      extensions: isDurable ? ["health_check", "file_storage"] : ["health_check"],
      pipelines: {
        traces: {
          receivers: ["otlp"],
          processors: isDurable ? [] : ["batch"],
          exporters: [exporter],
        },
      },
      telemetry: {
        metrics: {
          readers: [
            { pull: { exporter: { prometheus: { host: "127.0.0.1", port: "${PORT_3}" } } } },
          ],
        },
      },
    },
  };
}

function address(port: string): object {
  return { endpoint: `127.0.0.1:\${${port}}` };
}
