// What is odd about the process that the SDK starts in, a line each: nothing of it can be mended from here,
// and all of it would otherwise show as telemetry that is missing without a reason.

import { createRequire } from "node:module";
import { printable } from "./words.ts";

/** The first release with all that is relied on. */
const oldestNode = [22, 15] as const;

/** Why the SDK cannot run at all. */
export function unsupported(
  versions: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const [major = 0, minor = 0] = (versions["node"] ?? "").split(".").map(Number);
  const [oldestMajor, oldestMinor] = oldestNode;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  const running = printable(versions["node"] ?? "of no version", 20);
  return `the SDK is off: it needs Node ${oldestNode.join(".")} or newer, this is ${running}`;
}

/** Asked before anything of ours is registered. */
export function complaintsAboutOthers(wanted: readonly Wanted[]): readonly string[] {
  return [...aboutLibraries(wanted), ...aboutProviders()];
}

/** An instrumentation, with the packages whose loading starts it. */
interface Wanted {
  readonly libraries?: readonly string[];
}

/** What is loaded cannot be instrumented any more: hooks see what comes after them. */
function aboutLibraries(wanted: readonly Wanted[]): readonly string[] {
  const loaded = loadedPackages();
  const tooEarly = wanted.flatMap(
    ({ libraries = [] }) => libraries.find((library) => loaded.has(library)) ?? [],
  );
  if (tooEarly.length === 0) return [];
  const names = tooEarly.slice(0, 5).join(", ");
  const were = tooEarly.length === 1 ? "was" : "were";
  return [
    `${names} ${were} loaded before sonde and can no longer be instrumented; ` +
      "start the app with --import sonde/register",
  ];
}

function loadedPackages(): ReadonlySet<string> {
  const files = Object.keys(createRequire(import.meta.url).cache);
  return new Set(files.map((file) => packageOf(file)));
}

function packageOf(file: string): string {
  const [scope = "", name = ""] = (file.split(/[/\\]node_modules[/\\]/).at(-1) ?? "").split(
    /[/\\]/,
    2,
  );
  return scope.startsWith("@") ? `${scope}/${name}` : scope;
}

/** Where the API keeps what is registered, shared by all copies of it. */
const registry = Symbol.for("opentelemetry.js.api.1");
const parts = { trace: "traces", metrics: "metrics", logs: "logs" } as const;

function aboutProviders(): readonly string[] {
  const registered = (globalThis as { [registry]?: unknown })[registry];
  if (typeof registered !== "object" || registered === null) return [];
  const taken = Object.entries(parts).filter(([key]) => Object.hasOwn(registered, key));
  if (taken.length === 0) return [];
  const names = taken.map(([, signal]) => signal).join(", ");
  return [
    `another OpenTelemetry SDK was registered before sonde and keeps ${names} of the app; ` +
      "take one of the two away",
  ];
}
