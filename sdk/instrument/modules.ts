// Starts an instrumentation when the app first loads its library. Node tells of every CommonJS module
// before and after it is loaded, whether `require` or `import` asks for it, on the diagnostics channel
// module.require. Patching what a `require` returns is done by OpenTelemetry's own hook; an `import` does
// not pass it, so there the module is asked for once more through that hook, just before Node takes the
// exports that the importing module will see.
//
// Nothing is loaded for libraries the app does not use, no source is rewritten and no loader registered.

import { subscribe } from "node:diagnostics_channel";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, normalize } from "node:path";
import { loadOwn } from "../packages.ts";
import type { Settings } from "../settings.ts";
import { messageOf, tell } from "../tell.ts";
import type { Instrumentation } from "./table.ts";
import { isSupported, rangesFor } from "./versions.ts";

/** What the channel's messages hold; `result` at the end. */
interface Loading {
  /** As written, or the absolute path where `import` asks. */
  readonly id: string;
  /** Of the CommonJS module that asks; undefined for an `import`. */
  readonly parentFilename?: string;
  readonly result?: unknown;
}

const inNodeModules = /[/\\]node_modules[/\\]/;

export function startInstrumentations(
  instrumentations: readonly Instrumentation[],
  settings: Settings,
  isBundle = false,
): void {
  for (const one of instrumentations) {
    if (!one.libraries) start(one, settings);
    attempt(one, () => one.subscribe?.());
    attempt(one, () => watchImports(one, settings));
    if (isBundle) attempt(one, () => one.startInBundle?.());
  }
  watchModules(
    instrumentations.filter(({ libraries }) => libraries),
    settings,
  );
}

/**
 * A library that is there already was loaded by a preload that came before ours. What of it is handed
 * out by then stays as it is, so that spans are missing: the user has to change the order.
 */
export function tellOfEarlyLibraries(instrumentations: readonly Instrumentation[]): void {
  const loaded = new Set(
    Object.keys(createRequire(import.meta.url).cache)
      .filter((file) => inNodeModules.test(file))
      .map(packageOf),
  );
  const early = instrumentations
    .flatMap(({ libraries = [] }) => libraries.filter((name) => loaded.has(name)))
    .join(", ");
  if (early === "") return;
  tell(`loaded before sonde and so perhaps not traced: ${early}; preload sonde/register first`);
}

const started = new Set<Instrumentation>();

/** Whether this was the first time. */
function start(instrumentation: Instrumentation, settings: Settings, loading?: Loading): boolean {
  if (started.has(instrumentation)) return false;
  started.add(instrumentation);
  try {
    const version = loading ? versionOf(loading) : "";
    const made = instrumentation.start(settings, version);
    if (loading && version !== "") tellOfVersion(instrumentation, made, { loading, version });
  } catch (error) {
    tellOfFailure(instrumentation.name, error);
  }
  return true;
}

/** By the library's own package: those behind it that are listed as well have versions of their own. */
function tellOfVersion(
  one: Instrumentation,
  made: unknown,
  { loading, version }: { readonly loading: Loading; readonly version: string },
): void {
  const { libraries = [] } = one;
  const library = libraryOf(loading);
  if (library !== libraries[0]) return;
  const ranges = [...new Set(libraries.flatMap((name) => rangesFor(one, made, name)))];
  if (isSupported(version, ranges)) return;
  tell(`${library} ${version} is perhaps not traced: ${ranges.join(" or ")} is supported`);
}

function attempt({ name }: Instrumentation, act: () => void): void {
  try {
    act();
  } catch (error) {
    tellOfFailure(name, error);
  }
}

function tellOfFailure(name: string, error: unknown): void {
  tell(`${name} is not instrumented: ${messageOf(error)}`);
}

function watchModules(instrumentations: readonly Instrumentation[], settings: Settings): void {
  const byLibrary = new Map<string, Instrumentation>(
    instrumentations.flatMap((one) => (one.libraries ?? []).map((name) => [name, one] as const)),
  );
  if (byLibrary.size === 0) return;
  // A subscriber that throws would become an uncaught exception of the app.
  const guarded = (handle: (loading: Loading, one: Instrumentation) => void) => {
    return (message: unknown): void => {
      const loading = message as Loading;
      const one = byLibrary.get(libraryOf(loading));
      if (one === undefined) return;
      try {
        handle(loading, one);
      } catch (error) {
        tellOfFailure(one.name, error);
      }
    };
  };
  subscribe(
    "tracing:module.require:start",
    guarded((loading, one) => {
      const isFirst = start(one, settings, loading);
      if (isImport(loading)) patchBeforeImport(loading.id);
      else if (isFirst) patchFirst(loading);
    }),
  );
  subscribe(
    "tracing:module.require:end",
    guarded((loading, one) => {
      if (loading.result !== undefined) one.loaded?.(loading.result, settings); // else it threw
    }),
  );
}

function watchImports(one: Instrumentation, settings: Settings): void {
  const { isRunning, libraries = [] } = one;
  if (isRunning === undefined) return;
  for (const library of libraries.filter(isModuleHere)) {
    loadOwn("./instrument/imports").watchImport({
      library,
      isRunning,
      loaded(file, exports) {
        start(one, settings, { id: file });
        one.loaded?.(exports, settings);
      },
    });
  }
}

/** Whether the app's program, or what it was started in, finds it, and as an ES module. */
function isModuleHere(library: string): boolean {
  const folders = new Set<string>(); // each once: the one is most often below the other
  for (const start of [dirname(process.argv[1] ?? "/"), process.cwd()]) {
    for (let folder = start; !folders.has(folder); folder = dirname(folder)) {
      folders.add(folder);
      const file = join(folder, "node_modules", library, "package.json");
      if (existsSync(file)) return isModule(file);
    }
  }
  return false;
}

function isModule(file: string): boolean {
  const { type } = JSON.parse(readFileSync(file, "utf8")) as { type?: unknown };
  return type === "module";
}

/** The package that the app asks for; "" for a file of its own. */
function libraryOf(loading: Loading): string {
  if (typeof loading.id !== "string") return "";
  return inNodeModules.test(loading.id) ? packageOf(loading.id) : leadingName(loading.id);
}

function isImport({ id, parentFilename }: Loading): boolean {
  return parentFilename === undefined && inNodeModules.test(id);
}

/** Of a file below node_modules, in whatever way packages are laid out there. */
function packageOf(file: string): string {
  return leadingName(file.split(inNodeModules).at(-1) ?? "");
}

function leadingName(path: string): string {
  const [scope = "", name = ""] = path.split(/[/\\]/, 2);
  return scope.startsWith("@") ? `${scope}/${name}` : scope;
}

/** From the package's description; "" where there is none to be found. */
function versionOf(loading: Loading): string {
  const { id, parentFilename } = loading;
  try {
    const file = isImport(loading) ? id : createRequire(parentFilename ?? id).resolve(id);
    const name = packageOf(file);
    const folder = file.slice(0, file.lastIndexOf(normalize(name)) + name.length);
    const text = readFileSync(join(folder, "package.json"), "utf8");
    const { version } = JSON.parse(text) as { version?: unknown };
    return typeof version === "string" ? version : "";
  } catch {
    return ""; // one that cannot be found is told of by the `require` itself
  }
}

/**
 * OpenTelemetry's hook comes with the first instrumentation, in the middle of the very `require` that is
 * to be patched. So the module is asked for once more within, through the hook, and what the hook makes
 * of it is what the outer `require` then finds.
 */
function patchFirst({ id, parentFilename }: Loading): void {
  if (parentFilename === undefined) return;
  const require = createRequire(parentFilename);
  let exports: unknown;
  let filename: string;
  try {
    filename = require.resolve(id);
    exports = require(id);
  } catch {
    return; // and the outer one says so to the app
  }
  const module = require.cache[filename];
  if (module) module.exports = exports;
}

/** Node takes the exports right after it has set `loaded`, and the entry is there before it loads. */
function patchBeforeImport(filename: string): void {
  const require = createRequire(filename);
  const module = require.cache[filename];
  if (!module || module.loaded) return;
  const setLoaded = (loaded: boolean): void => {
    Object.defineProperty(module, "loaded", {
      value: loaded,
      writable: true,
      enumerable: true,
      configurable: true,
    });
    if (!loaded) return;
    try {
      module.exports = require(filename);
    } catch (error) {
      tell(`${filename} is not instrumented: ${messageOf(error)}`);
    }
  };
  Object.defineProperty(module, "loaded", {
    get: () => false,
    set: setLoaded,
    enumerable: true,
    configurable: true,
  });
}
