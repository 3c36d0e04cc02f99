// Starts an instrumentation when the app first loads its library. Node tells of every CommonJS module
// before and after it is loaded, whether `require` or `import` asks for it, on the diagnostics channel
// module.require. Patching what a `require` returns is done by OpenTelemetry's own hook; an `import` does
// not pass it, so there the module is asked for once more through that hook, just before Node takes the
// exports that the importing module will see.
//
// Nothing is loaded for libraries the app does not use, no source is rewritten and no loader registered.

import { subscribe } from "node:diagnostics_channel";
import { createRequire } from "node:module";
import { messageOf, tell } from "../tell.ts";
import type { Instrumentation } from "./table.ts";

/** What the channel's messages hold; `result` at the end. */
interface Loading {
  /** As written, or the absolute path where `import` asks. */
  readonly id: string;
  /** Of the CommonJS module that asks; undefined for an `import`. */
  readonly parentFilename?: string;
  readonly result?: unknown;
}

export function startInstrumentations(instrumentations: readonly Instrumentation[]): void {
  const eager = instrumentations.filter(({ libraries }) => !libraries);
  const lazy = instrumentations.filter(({ libraries }) => libraries);
  for (const one of eager) start(one);
  // OpenTelemetry's hook comes with the first instrumentation and sees what is loaded after that; alone,
  // a lazy one would come too late for the very `require` that started it.
  const hooked = lazy.find(({ engine }) => engine !== "sonde");
  if (hooked && !eager.some(({ engine }) => engine === "opentelemetry")) start(hooked);
  watchModules(lazy);
}

const started = new Set<Instrumentation>();

function start(instrumentation: Instrumentation): void {
  if (started.has(instrumentation)) return;
  started.add(instrumentation);
  try {
    instrumentation.start();
  } catch (error) {
    tell(`${instrumentation.name} is not instrumented: ${messageOf(error)}`);
  }
}

function watchModules(instrumentations: readonly Instrumentation[]): void {
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
        tell(`${one.name} is not instrumented: ${messageOf(error)}`);
      }
    };
  };
  subscribe(
    "tracing:module.require:start",
    guarded((loading, one) => {
      start(one);
      if (isImport(loading)) patchBeforeImport(loading.id);
    }),
  );
  subscribe(
    "tracing:module.require:end",
    guarded((loading, one) => {
      if (loading.result !== undefined) one.loaded?.(loading.result); // else it threw
    }),
  );
}

/** The package that the app asks for; "" for a file of its own. */
function libraryOf(loading: Loading): string {
  if (typeof loading.id !== "string") return "";
  const path = isImport(loading) ? loading.id.split(/[/\\]node_modules[/\\]/).at(-1)! : loading.id;
  const [scope = "", name = ""] = path.split(/[/\\]/, 2);
  return scope.startsWith("@") ? `${scope}/${name}` : scope;
}

function isImport({ id, parentFilename }: Loading): boolean {
  return parentFilename === undefined && /[/\\]node_modules[/\\]/.test(id);
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
