// What is odd about the process that the SDK starts in, a line each: nothing of it can be mended from here,
// and all of it would otherwise show as telemetry that is missing without a reason.

import { printable } from "./values.ts";

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

/** Of runtimes that take programs for Node without being it: their own servers and `fetch` tell us nothing. */
export function unobserved(
  versions: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  if (versions["bun"] !== undefined) {
    return ["in Bun requests to servers and by fetch are not observed; use Node for these"];
  }
  if (versions["deno"] !== undefined) {
    return ["in Deno requests to Deno.serve and by fetch are not observed; use Node for these"];
  }
  return [];
}

/** Where the API keeps what is registered, shared by all copies of it. */
const registry = Symbol.for("opentelemetry.js.api.1");
const parts = { trace: "traces", metrics: "metrics", logs: "logs" } as const;

/** Asked before anything of ours is registered. */
export function otherProviders(): readonly string[] {
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
