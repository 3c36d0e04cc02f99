// Wires the SDK together: settings, engine, instrumentations, exit. Started once per thread, however
// often and by whichever copy of this package it is asked for.

import { basename } from "node:path";
import { workerData } from "node:worker_threads";
import { hiddenByBundle, textOfBundle } from "./bundle.ts";
import { exitDeadlineMs, flushAtExit, within } from "./export/exit.ts";
import { knowMethods } from "./instrument/http-scope.ts";
import { startInstrumentations, tellOfEarlyLibraries } from "./instrument/modules.ts";
import { instrumentations } from "./instrument/table.ts";
import { startEngine } from "./engine.ts";
import { keepDurations } from "./metrics/series.ts";
import { load, loadOwn } from "./packages.ts";
import { makePropagator, parentContext } from "./propagate/propagator.ts";
import { readSettings } from "./settings.ts";
import type { Settings } from "./settings.ts";
import { otherProviders, unobserved, unsupported } from "./surroundings.ts";
import { messageOf, tell } from "./tell.ts";
import { AsyncContexts } from "./trace/context.ts";

/** What is running; the same for everyone who starts it. */
export interface Sonde {
  /** Sends what is waiting; resolves when it is delivered, or after two seconds. Never rejects. */
  flush(): Promise<void>;
  /** Flushes and ends; what is instrumented stays so, but nothing is recorded any more. */
  shutdown(): Promise<void>;
}

/** Starts the SDK as the environment says, as `--import sonde/register` does. Never throws. */
export function start(): Sonde {
  const running = globalThis as typeof globalThis & { [runningKey]?: Sonde };
  try {
    running[runningKey] ??= startNow();
  } catch (error) {
    tell(`the SDK is off, it could not start: ${messageOf(error)}`);
    running[runningKey] = nothing;
  }
  return running[runningKey];
}

const runningKey = Symbol.for("sonde.sdk");

const nothing: Sonde = { flush: () => Promise.resolve(), shutdown: () => Promise.resolve() };

function startNow(): Sonde {
  const problem = unsupported(process.versions);
  if (problem !== undefined) {
    complain([problem]);
    return nothing;
  }
  const { settings, complaints } = readSettings(process.env);
  if (isPackageManager() || isLoggerThread()) return nothing;
  if (settings.isDisabled) {
    complain(complaints);
    passOn(settings);
    return nothing;
  }
  const chosen = instrumentations.filter(
    ({ name, engine = settings.engine }) =>
      settings.instrumentations.has(name) && engine === settings.engine,
  );
  const patched = chosen.filter((one) => !one.startInBundle && !one.subscribe);
  const libraries = patched.flatMap(({ libraries = [] }) => libraries);
  const bundle = textOfBundle(process.argv[1]);
  const hidden = hiddenByBundle(process.argv[1], libraries, bundle) ?? [];
  complain([...complaints, ...otherProviders(), ...unobserved(process.versions), hidden].flat());
  tellOfEarlyLibraries(chosen); // before the engine, which may load one of them for itself
  const engine =
    settings.engine === "opentelemetry"
      ? loadOwn("./reference").startReference(settings)
      : startEngine(settings);
  const unwatch = flushAtExit(engine);
  knowMethods(settings.knownMethods);
  keepDurations(
    settings,
    settings.views.length > 0 ? loadOwn("./metrics/views").keepingByView(settings) : undefined,
  );
  startInstrumentations(chosen, settings, bundle !== undefined);
  return {
    flush: () => within(exitDeadlineMs, engine.flush()),
    shutdown() {
      unwatch();
      return within(exitDeadlineMs, engine.shutdown());
    },
  };
}

/** Without an SDK a trace that passes through the app by its own doing still does. */
function passOn(settings: Settings): void {
  const { context, propagation } = load("@opentelemetry/api");
  const propagator = makePropagator(settings);
  const contexts = new AsyncContexts(parentContext(propagator, process.env));
  context.setGlobalContextManager(contexts);
  propagation.setGlobalPropagator(propagator);
}

/** `npm start` under NODE_OPTIONS: the app is what it starts, which inherits them. */
function isPackageManager(): boolean {
  return packageManagers.test(basename(process.argv[1] ?? ""));
}

const packageManagers = /^((npm|npx)-cli\.js|(pnpm|pnpx|yarn|yarnpkg|corepack)(\.[cm]?js)?)$/;

/** pino's transports run in threads that the app knows nothing of, and there is nothing in them to see. */
function isLoggerThread(): boolean {
  const data = workerData as { workerData?: { $context?: object } } | null; // thread-stream's, if any
  const inner = data?.workerData?.$context;
  return typeof inner === "object" && inner !== null && "threadStreamVersion" in inner;
}

/** Once for a process and the Nodes it starts, which inherit the same mistakes. */
function complain(complaints: readonly string[]): void {
  if (complaints.length === 0 || process.env["SONDE_SETTINGS_TOLD"] !== undefined) return;
  process.env["SONDE_SETTINGS_TOLD"] = "true";
  for (const complaint of complaints) tell(complaint);
}
