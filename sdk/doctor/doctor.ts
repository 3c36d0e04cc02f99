// `sonde doctor`: what the SDK would do for an app, and whether what it sends arrives. Nothing of the app
// is run; what is said about it comes from its files, its command line and the environment.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import { hiddenByBundle } from "../bundle.ts";
import { scrubUrl } from "../instrument/scrub.ts";
import { instrumentations } from "../instrument/table.ts";
import { readSettings } from "../settings.ts";
import { checkEndpoints, type Endpoint } from "./endpoints.ts";
import { isFor, type Libraries, libraries } from "./libraries.ts";
import { sendTestSpan, type TestSpan } from "./test-span.ts";

export interface Examination {
  /** Empty if all is well; each a line, with what to do. */
  readonly problems: readonly string[];
  readonly node: { readonly version: string; readonly path: string };
  /** How the SDK gets into the app; absent where no command line was given. */
  readonly preload?: string | undefined;
  readonly isDisabled: boolean;
  readonly variables: readonly { readonly name: string; readonly value: string }[];
  readonly libraries: Libraries;
  readonly endpoints: readonly Endpoint[];
  readonly testSpan?: TestSpan | undefined;
}

/** What only the collector's side of the package knows. */
export interface Surroundings {
  /** The OTLP addresses of the collector that runs here. */
  readonly local: readonly string[];
  /** What became of a trace there, in words; undefined if it did not come. */
  readonly where: (traceId: string) => Promise<string | undefined>;
}

export async function examine(
  command: readonly string[],
  surroundings: Surroundings,
): Promise<Examination> {
  const { env } = process;
  const { settings, complaints } = readSettings(env);
  const node = nodeOf(command);
  const file = fileOf(command);
  const preload = command.length === 0 ? undefined : preloadOf(command, env);
  const found = libraries(file, settings);
  const endpoints = settings.isDisabled ? [] : await checkEndpoints(settings);
  const isReached = endpoints.some(
    ({ signals, failure }) => signals.includes("traces") && !failure,
  );
  const testSpan = isReached ? await sendTestSpan(settings, surroundings) : undefined;
  const watched = instrumentations
    .filter((one) => settings.instrumentations.has(one.name) && isFor(one, settings))
    .flatMap(({ libraries = [] }) => libraries);
  const isUnreached = endpoints.some(({ failure }) => failure !== undefined);
  const problems = [
    tooOld(node.version),
    command.length > 0 && preload === undefined ? notPreloaded(command) : undefined,
    ...complaints,
    hiddenByBundle(file, watched),
    ...unreached(endpoints),
    isUnreached ? elsewhere(surroundings) : undefined,
    testSpan?.failure,
  ].filter((problem) => problem !== undefined);
  return {
    problems,
    node,
    preload,
    isDisabled: settings.isDisabled,
    variables: variablesIn(env),
    libraries: found,
    endpoints,
    testSpan,
  };
}

/** The Node that the command names, or the one that we are. */
function nodeOf([program = ""]: readonly string[]): Examination["node"] {
  const own = { version: process.versions.node, path: process.execPath };
  if (!/^node(\.exe)?$/.test(basename(program))) return own;
  const code = "process.versions.node + '\\n' + process.execPath";
  const { NODE_OPTIONS: _, ...env } = process.env;
  const { stdout, status } = spawnSync(program, ["-p", code], { encoding: "utf8", env });
  const [version = "", path = ""] = status === 0 ? stdout.trim().split("\n") : [];
  return version === "" ? own : { version, path };
}

function tooOld(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 15)) return undefined;
  return `Node ${version} is too old, 22.15 or newer is needed`;
}

/** The first word that is a file of JavaScript or TypeScript, and no value of an option. */
function fileOf(command: readonly string[]): string | undefined {
  const file = command.find(
    (word, at) =>
      at > 0 &&
      /\.[cm]?[jt]sx?$/.test(word) &&
      !/^(-r|--require|--import|--loader)$/.test(command[at - 1] ?? "") &&
      existsSync(word),
  );
  return file === undefined ? undefined : resolve(file);
}

const registers = /\b(sonde\/register|sdk\/register\.[jt]s)\b/;

function preloadOf(command: readonly string[], env: NodeJS.ProcessEnv): string | undefined {
  if (registers.test(env["NODE_OPTIONS"] ?? "")) return "NODE_OPTIONS";
  if (command.some((word) => registers.test(word))) return "the command line";
  return /^(sonde|npx)$/.test(basename(command[0] ?? "")) && command.includes("run")
    ? "sonde run"
    : undefined;
}

function notPreloaded(command: readonly string[]): string {
  const words = command.join(" ");
  const isNode = /^node(\.exe)?$/.test(basename(command[0] ?? ""));
  const alone = isNode ? `, or by: node --import sonde/register ${command.slice(1).join(" ")}` : "";
  return `nothing preloads the SDK: start the app by: npx sonde run -- ${words}${alone}`;
}

/** One line for all signals that go the same way. */
function unreached(endpoints: readonly Endpoint[]): readonly string[] {
  const lines = endpoints.map(({ url, failure }) => {
    const where = URL.canParse(url) ? new URL(url).origin : url;
    return failure && `${where}: ${failure}`;
  });
  return [...new Set(lines)].filter((line) => line !== undefined);
}

function elsewhere({ local }: Surroundings): string | undefined {
  const [url] = local;
  return (
    url && `a collector runs here on ${url}: set OTEL_EXPORTER_OTLP_ENDPOINT, or use sonde run`
  );
}

function variablesIn(env: NodeJS.ProcessEnv): Examination["variables"] {
  return Object.entries(env)
    .filter(([name, value]) => /^(OTEL|SONDE)_/.test(name) && name !== toldName && value)
    .map(([name, value = ""]) => ({ name, value: shown(name, value) }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

const toldName = "SONDE_SETTINGS_TOLD"; // by us, to the Nodes that an app starts

/** Values of headers are secrets, and so is what is named like one. */
function shown(name: string, value: string): string {
  if (name.endsWith("_HEADERS")) return value.replaceAll(/=[^,]*/g, "=…");
  if (/TOKEN|PASSWORD|SECRET|API_KEY$/.test(name)) return "…";
  return scrubUrl(value);
}
