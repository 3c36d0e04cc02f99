// Wires the SDK together: settings, engine, instrumentations, exit. Started once per thread, however
// often and by whichever copy of this package it is asked for.

import { basename } from "node:path";
import { hiddenByBundle } from "./bundle.ts";
import { exitDeadlineMs, flushAtExit, within } from "./export/exit.ts";
import { startInstrumentations } from "./instrument/modules.ts";
import { instrumentations } from "./instrument/table.ts";
import { startEngine } from "./engine.ts";
import { startReference } from "./reference.ts";
import { readSettings } from "./settings.ts";
import { messageOf, tell } from "./tell.ts";

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
  const { settings, complaints } = readSettings(process.env);
  if (settings.isDisabled || isPackageManager()) return nothing;
  const wanted = instrumentations.filter(({ name }) => settings.instrumentations.has(name));
  const libraries = wanted.flatMap(({ libraries = [] }) => libraries);
  complain([...complaints, hiddenByBundle(process.argv[1], libraries) ?? []].flat());
  const engine =
    settings.engine === "opentelemetry" ? startReference(settings) : startEngine(settings);
  const unwatch = flushAtExit(engine);
  startInstrumentations(wanted);
  return {
    flush: () => within(exitDeadlineMs, engine.flush()),
    shutdown() {
      unwatch();
      return within(exitDeadlineMs, engine.shutdown());
    },
  };
}

/** `npm start` under NODE_OPTIONS: the app is what it starts, which inherits them. */
function isPackageManager(): boolean {
  return packageManagers.test(basename(process.argv[1] ?? ""));
}

const packageManagers = /^((npm|npx)-cli\.js|(pnpm|pnpx|yarn|yarnpkg|corepack)(\.[cm]?js)?)$/;

/** Once for a process and the Nodes it starts, which inherit the same mistakes. */
function complain(complaints: readonly string[]): void {
  if (complaints.length === 0 || process.env["SONDE_SETTINGS_TOLD"] !== undefined) return;
  process.env["SONDE_SETTINGS_TOLD"] = "true";
  for (const complaint of complaints) tell(complaint);
}
