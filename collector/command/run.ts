// Runs a program under the SDK: the environment says what is preloaded, under which name the program
// reports and where to. Where the system can, this process becomes the program, so that nothing stands
// between it and whoever started it: no signal to pass on, no stream to copy, no exit code to translate.
// Only where a collector has to be started for it, or on Windows, the program is a child.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
} from "node:fs";
import { connect } from "node:net";
import { constants as system } from "node:os";
import { delimiter, dirname, extname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isatty } from "node:tty";
import { fileURLToPath } from "node:url";
import type { Config } from "../config/schema.ts";
import { findCollector, type Urls } from "../presence.ts";
import { reachable, tokenOf } from "./ask.ts";
import { failed, type Result, settings, UsageError } from "./command.ts";

export const usage = `sonde run: runs a program under the SDK

  sonde run -- node app.js      any program: the Nodes that it starts are observed, too

  --config FILE  the collector's settings file, to find the collector that runs with it

  NODE_OPTIONS       gets sonde/register, beside what it holds
  OTEL_SERVICE_NAME  unless set: the name in the program's package.json
  OTEL_EXPORTER_OTLP_ENDPOINT
                     unless set: the collector that runs here; if none does, one is started for as
                     long as the program runs

  What the program reads, prints and ends with is passed through unchanged.
  Exit status: the program's; 2 a wrong call; 127 no such program.
`;

type Environment = Record<string, string | undefined>;

export async function run(args: readonly string[]): Promise<Result> {
  const { help, config: file, command } = split(args);
  if (help) return { exitCode: 0, stdout: usage };
  const [program] = command;
  if (program === undefined) throw new UsageError("a program is missing, such as: -- node app.js");
  const path = findProgram(program, process.env["PATH"]);
  if (path === undefined) return { ...failed(`${program}: no such program`), exitCode: 127 };

  const env: Environment = { ...process.env };
  env["NODE_OPTIONS"] = withPreload(env["NODE_OPTIONS"], registerFile());
  if (!namesService(env)) env["OTEL_SERVICE_NAME"] = packageName(command);
  const started = namesEndpoint(env) ? undefined : await findOrStart(env, file);
  const becomes = process.execve !== undefined && started === undefined && isReplaceable(path);
  return becomes ? become(path, command, env) : await accompany({ path, command, env, started });
}

interface Call {
  readonly help: boolean;
  readonly config: string | undefined;
  readonly command: readonly string[];
}

/** Ours end at `--` or at the first word that is no option; all behind that is the program's. */
function split(args: readonly string[]): Call {
  let config: string | undefined;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--help" || arg === "-h") return { help: true, config, command: [] };
    if (arg === "--") return { help: false, config, command: args.slice(at + 1) };
    if (arg === "--config") config = args[++at];
    else if (arg.startsWith("--config=")) config = arg.slice("--config=".length);
    else if (arg.startsWith("-")) throw new UsageError(`unknown option "${arg}"`);
    else return { help: false, config, command: args.slice(at) };
  }
  return { help: false, config, command: [] };
}

function findProgram(program: string, path = ""): string | undefined {
  const suffixes = process.platform === "win32" ? ["", ".exe", ".cmd", ".bat"] : [""];
  const folders = /[/\\]/.test(program) ? ["."] : path.split(delimiter);
  return folders
    .flatMap((folder) => suffixes.map((suffix) => resolve(folder || ".", program + suffix)))
    .find((file) => isProgram(file));
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

// ── the environment ──────────────────────────────────────────────────────────────────────────────

/** In the same package, from source as well as from dist/; by its place, so that it is not imported. */
function registerFile(): string {
  const extension = extname(new URL(import.meta.url).pathname);
  return fileURLToPath(new URL(`../../sdk/register${extension}`, import.meta.url));
}

/** Behind what is there: a preload of the user's may set variables that ours reads. */
function withPreload(options: string | undefined, file: string): string {
  if (options !== undefined && /\bsonde\/register\b/.test(options)) return options;
  if (options?.includes(quoted(file))) return options;
  return [options, `--require ${quoted(file)}`].filter(Boolean).join(" ");
}

/** As Node reads NODE_OPTIONS: what has blanks stands in quotes, and there a backslash escapes. */
function quoted(file: string): string {
  return /[\s"]/.test(file) ? `"${file.replaceAll(/["\\]/g, String.raw`\$&`)}"` : file;
}

function namesService(env: Environment): boolean {
  return Boolean(
    env["OTEL_SERVICE_NAME"] ||
    env["OTEL_CONFIG_FILE"] ||
    /(^|,)\s*service\.name\s*=/.test(env["OTEL_RESOURCE_ATTRIBUTES"] ?? ""),
  );
}

/** Of the package that the program's file is in, otherwise of the one that we are called in. */
function packageName(command: readonly string[]): string | undefined {
  const file = command.slice(1).find((word) => /\.[cm]?[jt]sx?$/.test(word) && existsSync(word));
  let folder = file === undefined ? process.cwd() : dirname(resolve(file));
  for (; ; folder = dirname(folder)) {
    try {
      const { name } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
        name?: unknown;
      };
      return typeof name === "string" && name !== "" ? name : undefined;
    } catch (error) {
      if (error instanceof SyntaxError || dirname(folder) === folder) return undefined;
    }
  }
}

function namesEndpoint(env: Environment): boolean {
  const exporters = ["TRACES", "METRICS", "LOGS"].map((signal) => env[`OTEL_${signal}_EXPORTER`]);
  if (exporters.every((exporter) => exporter && !exporter.includes("otlp"))) return true;
  if (env["OTEL_CONFIG_FILE"] || env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return true;
  return ["", "TRACES_", "METRICS_", "LOGS_"].some(
    (signal) => env[`OTEL_EXPORTER_OTLP_${signal}ENDPOINT`],
  );
}

// ── the collector ────────────────────────────────────────────────────────────────────────────────

/** Puts the collector's address into the environment; a collector that was started for it is returned. */
async function findOrStart(
  env: Environment,
  file: string | undefined,
): Promise<ChildProcess | undefined> {
  try {
    const config = await settings(file);
    const found = await findCollector(config.dataDir);
    if (found) {
      await direct(env, config, found);
      return undefined;
    }
    // Such as one in a container, whose folder is not to be seen from here.
    const { otlpHttpPort: port } = config;
    if (typeof port === "number" && port !== 0 && (await answers("127.0.0.1", port))) {
      const scheme = config.tlsCert === undefined ? "http" : "https";
      await direct(env, config, { otlpHttp: `${scheme}://127.0.0.1:${port}` });
      return undefined;
    }
    const { collector, urls } = await startCollector(file, config);
    await direct(env, config, urls);
    return collector;
  } catch (error) {
    process.stderr.write(`sonde: no collector for the program: ${(error as Error).message}\n`);
    return undefined;
  }
}

/** With what it asks of its clients, as far as its own settings tell. */
async function direct(env: Environment, config: Config, urls: Urls): Promise<void> {
  const isGrpc = env["OTEL_EXPORTER_OTLP_PROTOCOL"]?.trim().toLowerCase() === "grpc";
  const url = isGrpc ? urls.otlpGrpc : urls.otlpHttp;
  if (url === undefined) return;
  env["OTEL_EXPORTER_OTLP_ENDPOINT"] = reachable(url.replace(/^grpc(s?):/, "http$1:")).origin;
  const token = await tokenOf(config);
  if (token !== undefined) {
    const header = `authorization=${encodeURIComponent(`Bearer ${token}`)}`;
    env["OTEL_EXPORTER_OTLP_HEADERS"] ||= header;
  }
  if (config.tlsCert !== undefined) {
    env["OTEL_EXPORTER_OTLP_CERTIFICATE"] ||= resolve(config.tlsCert);
  }
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect({ host, port, timeout: 500 });
    const end = (isThere: boolean) => (): void => {
      socket.destroy();
      settle(isThere);
    };
    socket.on("connect", end(true)).on("error", end(false)).on("timeout", end(false));
  });
}

/** In a process group of its own: Ctrl-C is for the program, whose last words it has to take. */
async function startCollector(
  file: string | undefined,
  { dataDir }: Config,
): Promise<{ collector: ChildProcess; urls: Urls }> {
  const main = process.argv[1] ?? "";
  const options = file === undefined ? [] : ["--config", file];
  const nodeOptions = [...process.execArgv, "--import", endAlone];
  const collector = spawn(process.execPath, [...nodeOptions, main, "serve", ...options], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    detached: true,
  });
  let failure: Error | undefined;
  collector.on("error", (error) => (failure = error));
  collector.on("exit", () => (failure ??= new Error("the one that was started has ended")));
  for (;;) {
    if (failure) throw failure;
    const urls = await findCollector(dataDir);
    if (urls && urls.pid === collector.pid) {
      const where = urls.otlpHttp ?? urls.otlpGrpc ?? "no port";
      process.stderr.write(`sonde: a collector was started for the program, on ${where}\n`);
      return { collector, urls };
    }
    await sleep(20);
  }
}

/** Preloaded into it: should this process be killed, its channel closes and the collector ends too. */
const endAlone = `data:text/javascript,${encodeURIComponent(`
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.channel.unref();
`)}`;

// ── the program ──────────────────────────────────────────────────────────────────────────────────

function become(path: string, [name = "", ...args]: readonly string[], env: Environment): Result {
  // What is ignored stays so in the program, and Node ignores these two; what is listened to does not.
  for (const signal of ["SIGPIPE", "SIGXFSZ"] as const) process.on(signal, () => {});
  const given = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return process.execve!(path, [name, ...args], Object.fromEntries(given));
}

/**
 * A program that the system refuses to run would end this process hard: a script without a first line that
 * names its interpreter, which shells run all the same, or with one that is not there.
 */
function isReplaceable(path: string): boolean {
  if (process.platform === "win32") return false;
  const line = firstLine(path);
  const interpreter = /^#!\s*(\S+)/.exec(line)?.[1];
  return interpreter === undefined ? /^[^ -~\s]/.test(line) : isProgram(interpreter);
}

/** Of a program that may be run but not read: nothing. */
function firstLine(path: string): string {
  try {
    const file = openSync(path, "r");
    const head = Buffer.alloc(256);
    const length = readSync(file, head);
    closeSync(file);
    return head.toString("latin1", 0, length).split("\n", 1)[0] ?? "";
  } catch {
    return "";
  }
}

interface Accompanied {
  readonly path: string;
  readonly command: readonly string[];
  readonly env: Environment;
  readonly started: ChildProcess | undefined;
}

async function accompany({ path, command, env, started }: Accompanied): Promise<Result> {
  const program = spawn(path, command.slice(1), {
    env,
    argv0: command[0] ?? path,
    stdio: "inherit",
    shell: process.platform === "win32" && /\.(cmd|bat)$/i.test(path),
  });
  const listeners = passed.map((signal) => {
    const pass = (): void => {
      // From the keyboard it reaches the program by itself, which would count two as "at once".
      if (signal === "SIGINT" && isatty(0)) return;
      program.kill(signal);
    };
    process.on(signal, pass);
    return () => process.off(signal, pass);
  });
  const [code, signal] = await once(program, "exit").then(
    (end) => end as [number | null, NodeJS.Signals | null],
    (error: Error) => {
      process.stderr.write(`sonde: ${path}: ${error.message}\n`);
      return [1, null] as const;
    },
  );
  if (started) await stop(started);
  for (const off of listeners) off();
  if (signal !== null) process.kill(process.pid, signal);
  return { exitCode: code ?? 128 + (signal === null ? 0 : system.signals[signal]) };
}

const passed = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"] as const;

async function stop(collector: ChildProcess): Promise<void> {
  if (collector.exitCode !== null || collector.signalCode !== null) return;
  const ended = once(collector, "exit");
  collector.kill("SIGTERM");
  await ended;
}
