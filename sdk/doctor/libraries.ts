// Which packages of a project the SDK instruments, which not, and why: from its package.json and what is
// installed of it.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Instrumentation, instrumentations } from "../instrument/table.ts";
import { isSupported, rangesFor } from "../instrument/versions.ts";
import type { Settings } from "../settings.ts";

export interface Libraries {
  /** The project's package.json; absent if there is none. */
  readonly project?: string;
  /** Of Node itself. */
  readonly builtIn: readonly string[];
  readonly packages: readonly Library[];
  /** Those that nobody would expect spans of, or that nobody instruments. */
  readonly others: readonly string[];
}

export interface Library {
  readonly name: string;
  readonly version: string;
  readonly isInstrumented: boolean;
  /** Why not, or by what. */
  readonly why: string;
}

export function libraries(file: string | undefined, settings: Settings): Libraries {
  const project = findUp(file === undefined ? process.cwd() : dirname(file), "package.json");
  const builtIn = instrumentations
    .filter((one) => ofNode.has(one.name) && isFor(one, settings))
    .filter(({ name }) => settings.instrumentations.has(name))
    .map(({ name }) => name);
  if (project === undefined) return { builtIn, packages: [], others: [] };
  const { dependencies, optionalDependencies } = readJson(project) ?? {};
  const names = Object.keys({ ...asRecord(dependencies), ...asRecord(optionalDependencies) });
  const packages: Library[] = [];
  const others: string[] = [];
  for (const name of names.toSorted()) {
    const library = describe(name, dirname(project), settings);
    if (library) packages.push(library);
    else others.push(name);
  }
  return { project, builtIn, packages, others };
}

const ofNode: ReadonlySet<string> = new Set(["http", "undici", "console", "runtime-node"]);

/** What needs no instrumentation of its own. */
const covered: ReadonlyMap<string, string> = new Map([
  ["axios", "its requests are those of http"],
  ["got", "its requests are those of http"],
  ["superagent", "its requests are those of http"],
  ["needle", "its requests are those of http"],
  ["request", "its requests are those of http"],
  ["node-fetch", "its requests are those of http"],
  ["ky", "its requests are those of fetch"],
  ["ofetch", "its requests are those of fetch"],
  ["next", "it makes spans of its own, which are taken"],
]);

/** What people expect spans of, and none come. */
const uncovered: ReadonlyMap<string, string> = new Map([
  ["@prisma/client", "Prisma has an instrumentation of its own: @prisma/instrumentation"],
  ["better-sqlite3", "nobody instruments it"],
  ["sqlite3", "nobody instruments it"],
  ["mysql", "it is no longer maintained; mysql2 is instrumented"],
]);

function describe(name: string, folder: string, settings: Settings): Library | undefined {
  const file = findUp(folder, join("node_modules", name, "package.json"));
  const version = versionOf(name, folder);
  const one = instrumentations
    .filter((one) => isFor(one, settings))
    .find((one) => one.libraries?.includes(name) ?? one.name === name);
  if (one === undefined) {
    const why = covered.get(name) ?? uncovered.get(name);
    if (why === undefined) return undefined;
    return { name, version, isInstrumented: covered.has(name), why };
  }
  const not = (why: string): Library => ({ name, version, isInstrumented: false, why });
  if (!settings.instrumentations.has(one.name))
    return not(`${one.name} is switched off by OTEL_NODE_…_INSTRUMENTATIONS`);
  if (version === "") return not("not installed");
  const made = startedBy(one, settings, version);
  const supported = (library: string): readonly string[] => rangesFor(one, made, library);
  const ranges = supported(name);
  // A package may be a shell around another one, which is what is instrumented: redis and @redis/client.
  const isWell = (one.libraries ?? [name]).some((library) => {
    const inner = library === name ? version : versionOf(library, dirname(file ?? folder));
    return inner !== "" && isSupported(inner, supported(library));
  });
  return isWell
    ? { name, version, isInstrumented: true, why: "" }
    : not(`${ranges.join(" or ")} is supported`);
}

function versionOf(name: string, folder: string): string {
  const file = findUp(folder, join("node_modules", name, "package.json"));
  const version = file === undefined ? undefined : readJson(file)?.["version"];
  return typeof version === "string" ? version : "";
}

/** One engine may have another instrumentation of the same name than the other. */
export function isFor(one: Instrumentation, settings: Settings): boolean {
  return !("engine" in one) || one.engine === undefined || one.engine === settings.engine;
}

/** An instrumentation of OpenTelemetry's; its hooks in this process do no harm. */
function startedBy(one: Instrumentation, settings: Settings, version: string): unknown {
  try {
    const starts: { start(settings: Settings, version: string): unknown } = one;
    return starts.start(settings, version);
  } catch {
    return undefined;
  }
}

function findUp(from: string, path: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const file = join(folder, path);
    if (readJson(file) !== undefined) return file;
    if (dirname(folder) === folder) return undefined;
  }
}

function readJson(file: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return asRecord(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return undefined;
  }
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
