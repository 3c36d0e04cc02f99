#!/usr/bin/env node
// The command line. Only this file ends the process, and it loads what a command needs, not more.

import * as nodeModule from "node:module";
import { parseArgs } from "node:util";
import type { Result } from "./command/command.ts";

const usage = `sonde: takes OpenTelemetry data, keeps what it acknowledged, passes it on

  sonde [serve] [--config FILE]   run the collector
  sonde run -- node app.js        run a program under the SDK
  sonde doctor [-- node app.js]   what the SDK does for an app, and whether what it sends arrives
  sonde check [--config FILE]     show the settings and where each comes from, or all mistakes in them
  sonde where TRACE_ID            what became of a trace at each output
  sonde dead list|show|resend|drop [OUTPUT]
                                  records that an output could not deliver
  sonde log                       what is in the log on disk: segments, cursors, damage
  sonde --version | --help        and "sonde where --help" for the options of where

  Settings are in sonde.yaml or in SONDE_… variables; "sonde check" shows both names of each.
  Exit status: 0 fine; 1 not found or failed; 2 a wrong call or wrong settings.
`;

/** After this, whatever is still under way is cut off; the log keeps it. */
const stopLimitMs = 4_000;

/** Each takes what stands behind its name on the command line. */
const commands = {
  serve: (args: readonly string[]) => withSettings("serve", args, serve),
  check: (args: readonly string[]) => withSettings("check", args, check),
  run: async (args: readonly string[]) => show("run", await import("./command/run.ts"), args),
  doctor: async (args: readonly string[]) =>
    show("doctor", await import("./command/doctor.ts"), args),
  where: async (args: readonly string[]) => show("where", await import("./command/where.ts"), args),
  dead: async (args: readonly string[]) => show("dead", await import("./command/dead.ts"), args),
  log: async (args: readonly string[]) => show("log", await import("./command/log.ts"), args),
};

await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<void> {
  if (isNodeTooOld()) {
    process.stderr.write(`sonde: needs Node 22.15 or newer, this is ${process.versions.node}\n`);
    process.exitCode = 1;
    return;
  }
  nodeModule.enableCompileCache();
  const { command, rest } = split(args);
  if (isCommand(command)) {
    await commands[command](rest);
    return;
  }
  const { suggestion } = await import("./config/spelling.ts");
  const meant = suggestion(command, Object.keys(commands)) || "; see sonde --help";
  wrongCall(`no such command "${command}"${meant}`);
}

/** Before anything is loaded that an old Node could not even read. */
function isNodeTooOld(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major < 22 || (major === 22 && minor < 15);
}

/** The command is the first word that is neither an option nor the value of one. */
function split(args: readonly string[]): { command: string; rest: readonly string[] } {
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: { config: { type: "string" } },
  });
  const word = tokens.find(({ kind }) => kind === "positional");
  if (!word) return { command: "serve", rest: args };
  return { command: args[word.index] ?? "", rest: args.toSpliced(word.index, 1) };
}

function isCommand(name: string): name is keyof typeof commands {
  return Object.hasOwn(commands, name);
}

function wrongCall(message: string): void {
  process.stderr.write(`sonde: ${message}\n`);
  process.exitCode = 2;
}

/** For the commands that take nothing but a settings file. */
async function withSettings(
  command: string,
  args: readonly string[],
  run: (file: string | undefined) => Promise<void>,
): Promise<void> {
  const parsed = parse(command, args);
  if (typeof parsed === "string") wrongCall(`${parsed}; see sonde --help`);
  else if (parsed.help) process.stdout.write(usage);
  else if (!parsed.version) await run(parsed.config);
  else process.stdout.write(`${(await import("./version.ts")).packageVersion()}\n`);
}

function parse(command: string, args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        config: { type: "string" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean", short: "v" },
      },
    });
    const [extra] = positionals;
    return extra === undefined ? values : `"${extra}" is too much behind "${command}"`;
  } catch (error) {
    return (error as Error).message.split(". ", 1)[0] ?? "";
  }
}

/** For the commands that look, say something and end. */
async function show(
  command: string,
  { run }: { readonly run: (args: readonly string[]) => Promise<Result> },
  args: readonly string[],
): Promise<void> {
  try {
    const { exitCode, stdout = "", stderr = "" } = await run(args);
    process.stdout.on("error", () => {}); // whoever reads it has seen enough
    process.stdout.write(stdout);
    process.stderr.write(stderr);
    process.exitCode = exitCode;
  } catch (error) {
    const { UsageError } = await import("./command/command.ts");
    if (error instanceof UsageError) wrongCall(`${error.message}; see sonde ${command} --help`);
    else await fail(error);
  }
}

async function serve(file: string | undefined): Promise<void> {
  const stopping = stopSignal();
  // While it starts there is nothing that a stop would have to wait for: what was taken is in the log.
  let isStarted = false;
  void stopping.then(() => isStarted || process.exit(0));
  try {
    const { loadConfig } = await import("./config/config.ts");
    const { config } = await loadConfig({ env: process.env, file });
    const { limitHeap } = await import("./heap.ts");
    limitHeap();
    const { Collector } = await import("./collector.ts");
    const collector = await Collector.start(config, { ready });
    isStarted = true;
    await stopping;
    await collector.stop(AbortSignal.timeout(stopLimitMs));
    process.exit(0);
  } catch (error) {
    await fail(error);
  }
}

function ready(what: string, url: string): void {
  process.stdout.write(`sonde: ${what} on ${url}\n`);
}

/** The user's mistakes in the settings are status 2, as for a wrong argument; all else is 1. */
async function fail(error: unknown): Promise<never> {
  const { ConfigError } = await import("./config/problem.ts");
  const { message } = error as Error;
  process.stderr.write(error instanceof ConfigError ? `${message}\n` : `sonde: ${message}\n`);
  process.exit(error instanceof ConfigError ? 2 : 1);
}

async function check(file: string | undefined): Promise<void> {
  const { check: checkConfig } = await import("./config/check.ts");
  const { text, exitCode } = await checkConfig({ env: process.env, file });
  (exitCode === 0 ? process.stdout : process.stderr).write(text);
  process.exitCode = exitCode;
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      process.off("SIGTERM", stop);
      process.off("SIGINT", stop);
      resolve();
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
  });
}
