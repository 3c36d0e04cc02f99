// OTLP names as Prometheus has them: UnderscoreEscapingWithSuffixes, the default of OpenTelemetry's
// specification. People write dashboards against these names, so they are those that Prometheus's own
// OTLP receiver and the Go collector make, even where the specification would have it otherwise
// ("TiBy" becomes tibibytes, and "m" below a stroke minute).

import type { FamilyType } from "../../telemetry/exposition.ts";

/** Empty where nothing of the name can be kept. */
export function familyName(name: string, unit: string, type: FamilyType): string {
  let words = wordsOf(name);
  if (words.length === 0) return "";
  for (const word of unitWords(unit)) if (!words.includes(word)) words.push(word);
  // Counts of things are often given the unit 1, so that only a gauge of unit 1 is taken for a ratio.
  const suffix =
    type === "counter" ? "total" : type === "gauge" && unit === "1" ? "ratio" : undefined;
  if (suffix) words = [...words.filter((word) => word !== suffix), suffix];
  const joined = words.join("_");
  return /^\d/.test(joined) ? `_${joined}` : joined;
}

export function labelName(key: string): string {
  const name = key.replaceAll(/[^a-zA-Z0-9]+/g, "_");
  // Names with an underscore in front look like Prometheus's own, such as __name__.
  return /^\d/.test(name) ? `key_${name}` : name.startsWith("_") || !name ? `key${name}` : name;
}

function wordsOf(name: string): string[] {
  return name.split(/[^a-zA-Z0-9:]+/).filter((word) => word !== "");
}

/** "By/s" becomes bytes and per_second; what stands in braces is a remark and no unit. */
function unitWords(unit: string): string[] {
  const stroke = unit.indexOf("/");
  const main = (stroke < 0 ? unit : unit.slice(0, stroke)).trim();
  const per = stroke < 0 ? "" : unit.slice(stroke + 1).trim();
  const mainWord = /[{}]/.test(main) ? "" : cleaned(units.get(main) ?? main);
  const perWord = /[{}]/.test(per) ? "" : cleaned(perUnits.get(per) ?? per);
  return [mainWord, perWord && `per_${perWord}`].filter((word) => word !== "");
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
