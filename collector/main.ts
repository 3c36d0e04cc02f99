#!/usr/bin/env node
// The command line. Only this file ends the process, and it loads what a command needs, not more.

import * as nodeModule from "node:module";
import { parseArgs } from "node:util";

const usage = `sonde: takes OpenTelemetry data, keeps what it acknowledged, passes it on

  sonde [serve] [--config FILE]   run the collector
  sonde check [--config FILE]     show the settings and where each comes from, or all mistakes in them
  sonde --version | --help

  Settings are in sonde.yaml or in SONDE_… variables; "sonde check" shows both names of each.
`;

/** After this, whatever is still under way is cut off; the log keeps it. */
const stopLimitMs = 4_000;

const commands = { serve, check };

await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<void> {
  if (isNodeTooOld()) {
    process.stderr.write(`sonde: needs Node 22.15 or newer, this is ${process.versions.node}\n`);
    process.exitCode = 1;
    return;
  }
  nodeModule.enableCompileCache();
  const parsed = parse(args);
  if (typeof parsed === "string") {
    process.stderr.write(`sonde: ${parsed}\n`);
    process.exitCode = 2;
    return;
  }
  const { help, version, config } = parsed.values;
  if (help) process.stdout.write(usage);
  else if (version) process.stdout.write(`${(await import("./version.ts")).packageVersion()}\n`);
  else await commands[parsed.command](config);
}

/** Before anything is loaded that an old Node could not even read. */
function isNodeTooOld(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major < 22 || (major === 22 && minor < 15);
}

function parse(args: readonly string[]) {
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
    const [command = "serve", extra] = positionals;
    if (!isCommand(command)) return `no such command "${command}"; see sonde --help`;
    if (extra !== undefined) return `"${extra}" is too much behind "${command}"; see sonde --help`;
    return { command, values };
  } catch (error) {
    return `${(error as Error).message.split(". ", 1)[0]}; see sonde --help`;
  }
}

function isCommand(name: string): name is keyof typeof commands {
  return Object.hasOwn(commands, name);
}

async function serve(file: string | undefined): Promise<void> {
  const stopping = stopSignal();
  // While it starts there is nothing that a stop would have to wait for: what was taken is in the log.
  let isStarted = false;
  void stopping.then(() => isStarted || process.exit(0));
  try {
    const { loadConfig } = await import("./config/config.ts");
    const { config } = await loadConfig({ env: process.env, file });
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
