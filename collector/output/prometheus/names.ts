// OTLP names as Prometheus has them, by one of the four strategies that Prometheus's own OTLP receiver
// knows. People write dashboards against these names, so they are those that it and the Go collector make,
// even where the specification would have it otherwise ("TiBy" becomes tibibytes, and "m" below a stroke
// minute).

import type { FamilyType } from "../../telemetry/exposition.ts";

export const strategies = [
  "UnderscoreEscapingWithSuffixes", // the default of OpenTelemetry's specification
  "UnderscoreEscapingWithoutSuffixes",
  "NoUTF8EscapingWithSuffixes",
  "NoTranslation",
] as const;
export type Strategy = (typeof strategies)[number];

export interface Naming {
  /** Names may be any text; otherwise they are what every Prometheus can read. */
  readonly isUtf8: boolean;
  /** Empty where nothing of the name can be kept. */
  readonly familyName: (name: string, unit: string, type: FamilyType) => string;
  readonly labelName: (key: string) => string;
}

export function naming(strategy: Strategy): Naming {
  switch (strategy) {
    case "UnderscoreEscapingWithSuffixes":
      return { isUtf8: false, familyName: escapedWithSuffixes, labelName: escapedLabel };
    case "UnderscoreEscapingWithoutSuffixes":
      return { isUtf8: false, familyName: escapedName, labelName: escapedLabel };
    case "NoUTF8EscapingWithSuffixes":
      return { isUtf8: true, familyName: withSuffixes, labelName: anyLabel };
    default:
      return { isUtf8: true, familyName: (name) => name, labelName: anyLabel };
  }
}

/** What a name ends with to say its unit; empty where there is nothing to say. */
export function unitSuffix(unit: string): string {
  return unitWords(unit).join("_");
}

function escapedWithSuffixes(name: string, unit: string, type: FamilyType): string {
  let words = wordsOf(name);
  if (words.length === 0) return "";
  for (const word of unitWords(unit)) if (!words.includes(word)) words.push(word);
  const suffix = typeSuffix(unit, type);
  if (suffix) words = [...words.filter((word) => word !== suffix), suffix];
  return notADigitFirst(words.join("_"));
}

/** Counts of things are often given the unit 1, so that only a gauge of unit 1 is taken for a ratio. */
function typeSuffix(unit: string, type: FamilyType): string | undefined {
  if (type === "counter") return "total";
  return type === "gauge" && unit === "1" ? "ratio" : undefined;
}

const notADigitFirst = (name: string): string => (/^\d/.test(name) ? `_${name}` : name);

/** Underscores stay as they are here, as many as there are. */
function escapedName(name: string): string {
  const words = name.split(/[^a-zA-Z0-9:_]+/).filter((word) => word !== "");
  const joined = words.join("_");
  return /^_*$/.test(joined) ? "" : notADigitFirst(joined);
}

function withSuffixes(name: string, unit: string, type: FamilyType): string {
  if (name === "") return "";
  const [main, per] = unitParts(unit, (word) => word);
  const suffix = typeSuffix(unit, type);
  let left = suffix ? withoutSuffix(name, suffix) : name;
  if (per) left = withoutSuffix(left, per);
  if (main && !left.endsWith(main)) left += `_${main}`;
  return [left, per, suffix].filter(Boolean).join("_");
}

/** And without what stands before it, which is taken for a stroke between them. */
function withoutSuffix(name: string, suffix: string): string {
  const isLonger = name.length > suffix.length + 1;
  return isLonger && name.endsWith(suffix) ? name.slice(0, -suffix.length - 1) : name;
}

function escapedLabel(key: string): string {
  const name = key.replaceAll(/[^a-zA-Z0-9]+/g, "_");
  // Names with an underscore in front look like Prometheus's own, such as __name__.
  return /^\d/.test(name) ? `key_${name}` : name.startsWith("_") || !name ? `key${name}` : name;
}

const anyLabel = (key: string): string => (key === "" || key.startsWith("__") ? `key${key}` : key);

function wordsOf(name: string): string[] {
  return name.split(/[^a-zA-Z0-9:]+/).filter((word) => word !== "");
}

const unitWords = (unit: string): string[] => unitParts(unit).filter((word) => word !== "");

/** "By/s" becomes bytes and per_second; what stands in braces is a remark and no unit. */
function unitParts(unit: string, clean = cleaned): [main: string, per: string] {
  const stroke = unit.indexOf("/");
  const main = (stroke < 0 ? unit : unit.slice(0, stroke)).trim();
  const per = stroke < 0 ? "" : unit.slice(stroke + 1).trim();
  const mainWord = /[{}]/.test(main) ? "" : clean(units.get(main) ?? main);
  const perWord = /[{}]/.test(per) ? "" : clean(perUnits.get(per) ?? per);
  return [mainWord, perWord && `per_${perWord}`];
}

const cleaned = (word: string): string => wordsOf(word).join("_");

const units: ReadonlyMap<string, string> = new Map([
  ["d", "days"],
  ["h", "hours"],
  ["min", "minutes"],
  ["s", "seconds"],
  ["ms", "milliseconds"],
  ["us", "microseconds"],
  ["ns", "nanoseconds"],
  ["By", "bytes"],
  ["KiBy", "kibibytes"],
  ["MiBy", "mebibytes"],
  ["GiBy", "gibibytes"],
  ["TiBy", "tibibytes"],
  ["kBy", "kilobytes"],
  ["KBy", "kilobytes"],
  ["MBy", "megabytes"],
  ["GBy", "gigabytes"],
  ["TBy", "terabytes"],
  ["m", "meters"],
  ["V", "volts"],
  ["A", "amperes"],
  ["J", "joules"],
  ["W", "watts"],
  ["g", "grams"],
  ["Cel", "celsius"],
  ["Hz", "hertz"],
  ["1", ""],
  ["%", "percent"],
]);

const perUnits: ReadonlyMap<string, string> = new Map([
  ["s", "second"],
  ["m", "minute"],
  ["h", "hour"],
  ["d", "day"],
  ["w", "week"],
  ["mo", "month"],
  ["y", "year"],
]);
