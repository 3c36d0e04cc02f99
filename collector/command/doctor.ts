// What the SDK does for an app, and whether what it sends arrives. The SDK's side of the package answers
// that; from here comes what only the collector's knows: where it listens, and what became of a trace.

import { extname } from "node:path";
import { findCollector } from "../presence.ts";
import type { TraceReport } from "../query/where.ts";
import { ask, reachable } from "./ask.ts";
import { type Result, settings, UsageError } from "./command.ts";
import { json } from "./terminal.ts";

export const usage = `sonde doctor: whether and how an app is observed

  sonde doctor                    the project of this folder
  sonde doctor -- node app.js     an app, as it is started; it is not run

  --config FILE  the collector's settings file, to find the collector that runs with it
  --json         for scripts

  Says which Node runs the app, whether the SDK is preloaded, which settings are set and what is wrong with
  them, which packages are instrumented and which not, and whether the endpoints take data; and sends a
  span all the way.
  Exit status: 0 all is well; 1 something is wrong; 2 a wrong call.
`;

/** What sdk/doctor/ has; loaded by its place in the package, since the collector never imports the SDK. */
interface Doctor {
  readonly examine: (
    command: readonly string[],
    surroundings: {
      readonly local: readonly string[];
      readonly where: (traceId: string) => Promise<string | undefined>;
    },
  ) => Promise<{ readonly problems: readonly string[] }>;
}

export async function run(args: readonly string[]): Promise<Result> {
  const call = split(args);
  if (call.help) return { exitCode: 0, stdout: usage };
  const { examine } = (await load("doctor")) as Doctor; // what it exports
  const { textOf } = (await load("text")) as { textOf: (found: object) => string };
  const found = await examine(call.command, await surroundings(call.config));
  const exitCode = found.problems.length === 0 ? 0 : 1;
  if (!call.json) return { exitCode, stdout: textOf(found) };
  return { exitCode, stdout: json({ ok: exitCode === 0, ...found }) };
}

interface Call {
  readonly help?: boolean;
  readonly json: boolean;
  readonly config?: string | undefined;
  readonly command: readonly string[];
}

/** Ours end at `--` or at the first word that is no option; all behind that is the app's. */
function split(args: readonly string[]): Call {
  let config: string | undefined;
  let isJson = false;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--help" || arg === "-h") return { help: true, json: isJson, command: [] };
    if (arg === "--") return { json: isJson, config, command: args.slice(at + 1) };
    if (arg === "--json") isJson = true;
    else if (arg === "--config") config = args[++at];
    else if (arg.startsWith("-")) throw new UsageError(`unknown option "${arg}"`);
    else return { json: isJson, config, command: args.slice(at) };
  }
  return { json: isJson, config, command: [] };
}

function load(name: string): Promise<unknown> {
  const extension = extname(new URL(import.meta.url).pathname);
  return import(new URL(`../../sdk/doctor/${name}${extension}`, import.meta.url).href);
}

/** Without a collector, or with settings that it could not start with, there is nothing to ask. */
async function surroundings(file: string | undefined) {
  const nothing = { local: [], where: () => Promise.resolve(undefined) };
  const config = await settings(file).catch(() => undefined);
  const found = config && (await findCollector(config.dataDir));
  if (!config || !found) return nothing;
  const local = [found.otlpHttp, found.otlpGrpc]
    .filter((url) => url !== undefined)
    .map((url) => reachable(url.replace(/^grpc(s?):/, "http$1:")).origin);
  const where = async (traceId: string): Promise<string | undefined> => {
    const answer = await ask(config, { method: "GET", path: `/api/where/${traceId}` });
    if (answer.kind !== "answer") return "the collector's web port is off";
    const { span_count, outputs } = answer.body as TraceReport; // what the API says it is
    return span_count === 0 ? undefined : outcomes(outputs);
  };
  return { local, where };
}

function outcomes(outputs: TraceReport["outputs"]): string {
  const words = outputs.map(({ output, outcomes }) => {
    const [first] = outcomes;
    return `${output}: ${first ? first.outcome : "waiting"}`;
  });
  return words.join(", ") || "no output is configured";
}
