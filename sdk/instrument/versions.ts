// Which versions of a library its instrumentation is for.

import type { Instrumentation } from "./table.ts";

/** None where all are. `made` is what the instrumentation's start has returned. */
export function rangesFor(
  { versions }: Pick<Instrumentation, "versions">,
  made: unknown,
  library: string,
): readonly string[] {
  return versions === undefined ? definedFor(made, library) : [versions];
}

export function isSupported(version: string, ranges: readonly string[]): boolean {
  return ranges.length === 0 || ranges.some((range) => satisfies(version, range));
}

/** What an instrumentation of OpenTelemetry says of itself. */
function definedFor(made: unknown, library: string): readonly string[] {
  const definitions = (
    made as { getModuleDefinitions?: () => unknown } | undefined
  )?.getModuleDefinitions?.();
  if (!Array.isArray(definitions)) return [];
  return definitions
    .filter((definition: { name?: unknown }) => definition.name === library)
    .flatMap((definition: { supportedVersions?: unknown }) => definition.supportedVersions ?? [])
    .filter((range) => typeof range === "string");
}

/** As much of semver's ranges as instrumentations use: `>=1.2.0 <3`, `^1.2.3`, `*`. */
export function satisfies(version: string, range: string): boolean {
  const at = numbers(version);
  return range.split("||").some((alternative) =>
    alternative
      .trim()
      .split(/\s+/)
      .every((comparator) => {
        const [, operator = "", given = ""] = /^(\^|~|>=|<=|>|<|=)?v?(.*)$/.exec(comparator) ?? [];
        if (given === "*" || given === "") return true;
        const wanted = numbers(given);
        const order = compare(at, wanted);
        switch (operator) {
          case ">=":
            return order >= 0;
          case ">":
            return order > 0;
          case "<=":
            return order <= 0;
          case "<":
            return order < 0;
          case "^":
            return order >= 0 && at[0] === wanted[0] && (at[0] !== 0 || at[1] === wanted[1]);
          case "~":
            return order >= 0 && at[0] === wanted[0] && at[1] === wanted[1];
          default:
            return order === 0;
        }
      }),
  );
}

function numbers(version: string): readonly number[] {
  return (version.split(/[-+]/, 1)[0] ?? "").split(".").map((part) => Number(part) || 0);
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < 3; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
