// Runs an app as a process of its own, with the SDK preloaded or without.

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { compileCache } from "../../support/compile-cache.ts";
import { until } from "../../support/until.ts";

/** "official" is OpenTelemetry's own assembly. */
export type Preload = "require" | "import" | "both" | "none" | "official";

export interface RunOptions {
  readonly preload?: Preload;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The repository, unless it is another folder. */
  readonly cwd?: string;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMs: number;
}

export interface App {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** The base URL from the app's line `listening on http://…`, or Next's of where it is. */
  url(): Promise<string>;
  /** Ends it as `docker stop` would; what it had to send is sent when this resolves. */
  stop(): Promise<Ended>;
}

const listening = /(?:listening on|- Local:) +(\S+)/;
const root = fileURLToPath(new URL("../../../", import.meta.url));

export function startApp(
  file: string,
  { preload = "import", args = [], env = {}, cwd = root }: RunOptions = {},
): App {
  const begun = performance.now();
  const child = spawn(process.execPath, [...preloadOptions(preload), file, ...args], {
    cwd,
    // Nothing inherited: variables of the person who runs the tests are not part of them.
    env: { PATH: process.env["PATH"] ?? "", ...compileCache, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code, signal) => {
      resolve({ code, signal, stdout, stderr, tookMs: performance.now() - begun });
    });
  });
  return {
    process: child,
    ended,
    async url() {
      const isSettled = (): boolean => listening.test(stdout) || child.exitCode !== null;
      await until(`${file} listens`, isSettled).catch((error: Error) => {
        throw new Error(`${error.message}:\n${stderr}`);
      });
      const url = listening.exec(stdout)?.[1];
      if (url === undefined) throw new Error(`${file} ended before it listened:\n${stderr}`);
      return url;
    },
    stop() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

export async function runApp(file: string, options?: RunOptions): Promise<Ended> {
  return startApp(file, options).ended;
}

export function appFile(path: string): string {
  return fileURLToPath(new URL(`../apps/${path}`, import.meta.url));
}

function preloadOptions(preload: Preload): string[] {
  const both = ["--require", "sonde/register", "--import", "sonde/register"];
  const options: Readonly<Record<Preload, readonly string[]>> = {
    require: both.slice(0, 2),
    import: both.slice(2),
    both,
    none: [],
    official: ["--require", fileURLToPath(new URL("official.cjs", import.meta.url))],
  };
  return ["--conditions=source", ...options[preload]];
}
