// A span on the whole way: made through the API in a Node of its own under the SDK, with the settings as
// they are, and sent as the app's would be. The SDK tells what does not work, so silence is success.

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { extname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Settings } from "../settings.ts";
import type { Surroundings } from "./doctor.ts";

export interface TestSpan {
  readonly traceId: string;
  /** What became of it, as far as that can be known. */
  readonly outcome: string;
  readonly failure?: string | undefined;
}

export async function sendTestSpan(
  { traces }: Settings,
  { local, where }: Surroundings,
): Promise<TestSpan> {
  const { traceId, told } = await send();
  const problem = told.find((line) => line.startsWith("sonde: "))?.slice("sonde: ".length);
  if (traceId === "" || problem !== undefined) {
    const failure = `the test span was not sent: ${problem ?? (told.at(-1) || "the SDK did not start")}`;
    return { traceId, outcome: "not sent", failure };
  }
  const isLocal = local.some((url) => samePlace(url, traces.otlp.url));
  if (!isLocal) return { traceId, outcome: "accepted" };
  for (let tries = 0; tries < 20; tries++) {
    const outcome = await where(traceId);
    if (outcome !== undefined) return { traceId, outcome: `arrived; ${outcome}` };
    await sleep(100);
  }
  const failure = "the test span was accepted, but the collector that runs here does not know it";
  return { traceId, outcome: "not found", failure };
}

/** By port: a collector on all addresses has many names. */
function samePlace(one: string, other: string): boolean {
  return URL.canParse(other) && new URL(one).port === new URL(other).port;
}

const limitMs = 10_000;

async function send(): Promise<{ traceId: string; told: readonly string[] }> {
  const extension = extname(new URL(import.meta.url).pathname);
  const register = fileURLToPath(new URL(`../register${extension}`, import.meta.url));
  const api = createRequire(import.meta.url).resolve("@opentelemetry/api");
  const code = `
    const { trace } = require(${JSON.stringify(api)});
    const span = trace.getTracer("sonde doctor").startSpan("sonde doctor: a test span");
    process.stdout.write(span.spanContext().traceId);
    span.end();
  `;
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, ["--require", register, "--eval", code], {
    env: {
      ...env,
      OTEL_TRACES_SAMPLER: "always_on",
      OTEL_METRICS_EXPORTER: "none",
      OTEL_LOGS_EXPORTER: "none",
      SONDE_SETTINGS_TOLD: "true",
    },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: limitMs,
    killSignal: "SIGKILL",
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  await new Promise((resolve) => {
    child.on("close", resolve);
    child.on("error", resolve);
  });
  return {
    traceId: /^[0-9a-f]{32}$/.test(stdout) && !/^0+$/.test(stdout) ? stdout : "",
    told: stderr.trim().split("\n").filter(Boolean),
  };
}
