// Runs any command line as an app under test, told by the environment alone to be observed, and checks
// that it is: the web app's one request has to look the same wherever it runs.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished } from "vitest";
import { startCollector, tree } from "../../../sdk/testing/testing.ts";
import type { TestCollector } from "../../../sdk/testing/testing.ts";
import { compileCache } from "../../support/compile-cache.ts";
import { until } from "../../support/until.ts";

export const root = fileURLToPath(new URL("../../../", import.meta.url));

export interface Launched {
  readonly child: ChildProcess;
  readonly collector: TestCollector;
  readonly output: { stdout: string; stderr: string };
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  /** From its line `listening on http://…`. */
  url(): Promise<string>;
}

export interface LaunchOptions {
  /** At SIGTERM, where what stands between us and the app makes something else of it. */
  readonly ends?: { readonly code: number | null; readonly signal: string | null };
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const listening = /listening on (\S+)/;

export async function launch(
  [command = "", ...args]: readonly string[],
  { env = {}, cwd = root }: LaunchOptions = {},
): Promise<Launched> {
  const collector = await startCollector();
  const child = spawn(command, args, {
    cwd,
    env: {
      PATH: process.env["PATH"],
      OTEL_SERVICE_NAME: "app",
      ...compileCache,
      ...collector.env,
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal }));
    child.on("error", (error) => {
      output.stderr += error.message;
      resolve({ code: 1, signal: null });
    });
  });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await collector.close();
  });
  return {
    child,
    collector,
    output,
    ended,
    url: () =>
      until("it listens", () => {
        if (child.exitCode !== null) throw new Error(`it ended: ${output.stderr}`);
        const said = listening.exec(output.stdout) ?? listening.exec(output.stderr);
        return said?.[1];
      }),
  };
}

/** Of apps/web and apps/typed. */
export async function expectWebAppIsObserved(
  command: readonly string[],
  options?: LaunchOptions,
): Promise<Launched> {
  const app = await launch(command, options);
  const { collector, output } = app;
  await fetch(`${await app.url()}/items/5`);
  const [server] = await collector.spans({ name: "GET /items/:id", kind: "server" });
  const trace = await collector.spans({ traceId: server?.traceId ?? "" }, { count: 7 });
  const call = ["├─ GET  client  app", "│  └─ GET /:way  server  app"];
  expect(tree(trace).split("\n")).toEqual([
    "GET /items/:id  server  app",
    ...call,
    ...call,
    "└─ GET  client  app",
    "   └─ GET /:way  server  app",
  ]);
  const inTrace = { traceId: server?.traceId ?? "" };
  const logs = await collector.logs(inTrace, { count: 3 });
  expect(logs.map(({ body }) => body)).toEqual(["from pino", "from winston", "from console"]);
  app.child.kill("SIGTERM");
  expect(await app.ended).toEqual(options?.ends ?? { code: null, signal: "SIGTERM" });
  expect(output.stderr.replace("from console\n", "")).toBe("");
  return app;
}
