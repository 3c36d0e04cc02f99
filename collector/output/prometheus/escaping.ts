// Names of metrics and labels that not every reader knows how to read: quoted for those that do, and for
// the others escaped by the scheme that they ask for.
// https://prometheus.io/docs/instrumenting/escaping_schemes

export const escapings = ["allow-utf-8", "underscores", "dots", "values"] as const;
export type Escaping = (typeof escapings)[number];

const legacyName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const legacyLabel = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

export const isLegacyName = (name: string): boolean => legacyName.test(name);

/** As it stands in front of its value. */
export const labelInText = (name: string): string => (legacyLabel.test(name) ? name : quoted(name));

export function quoted(name: string): string {
  const inner = name.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
  return `"${inner}"`;
}

/** Names that all can read stay as they are, whatever the scheme: so does Prometheus's own library. */
export function escapeName(name: string, escaping: Escaping): string {
  return escaping === "allow-utf-8" || legacyName.test(name) ? name : escaped(name, escaping);
}

function escapeLabel(name: string, escaping: Escaping): string {
  return escaping === "allow-utf-8" || legacyLabel.test(name) ? name : escaped(name, escaping);
}

function escaped(name: string, escaping: Exclude<Escaping, "allow-utf-8">): string {
  let text = escaping === "values" ? "U__" : "";
  let isFirst = true;
  for (const character of name) {
    text += escapedCharacter(character, escaping, isFirst);
    isFirst = false;
  }
  return text;
}

function escapedCharacter(
  character: string,
  escaping: Exclude<Escaping, "allow-utf-8">,
  isFirst: boolean,
): string {
  const isLegacy = /[a-zA-Z_:]/.test(character) || (!isFirst && /\d/.test(character));
  if (escaping === "underscores") return isLegacy ? character : "_";
  if (character === "_") return "__";
  if (isLegacy) return character;
  if (escaping === "dots") return character === "." ? "_dot_" : "__";
  return character.isWellFormed() ? `_${character.codePointAt(0)!.toString(16)}_` : "_FFFD_";
}

/** Where the parts of one label stand in a text of labels. */
export interface LabelPlace {
  nameStart: number;
  nameEnd: number;
  valueStart: number;
  valueEnd: number;
  /** Neither quotes around the name nor escapes in the value. */
  isPlain: boolean;
}

const quote = 0x22;
const backslash = 0x5c;
const equals = 0x3d;

/** By hand, since a regular expression takes five times as long. The place is the same object each time. */
export function eachPlace(labels: string, visit: (place: Readonly<LabelPlace>) => void): void {
  const place = { nameStart: 0, nameEnd: 0, valueStart: 0, valueEnd: 0, isPlain: true };
  const first = labels.startsWith(",") ? 1 : 0; // where it goes on from another text
  for (let at = first; at < labels.length; at = place.valueEnd + 2) {
    place.nameStart = at;
    place.isPlain = labels.charCodeAt(at) !== quote;
    if (place.isPlain) while (labels.charCodeAt(at) !== equals && at < labels.length) at++;
    else at = endOfQuoted(labels, at + 1, place) + 1;
    place.nameEnd = at;
    place.valueStart = at + 2;
    place.valueEnd = endOfQuoted(labels, at + 2, place);
    visit(place);
  }
}

/** At its closing quote. */
function endOfQuoted(labels: string, from: number, place: LabelPlace): number {
  let at = from;
  for (; at < labels.length; at++) {
    const code = labels.charCodeAt(at);
    if (code === quote) return at;
    if (code !== backslash) continue;
    place.isPlain = false;
    at++;
  }
  return at;
}

/** Both unescaped. */
export function eachLabel(labels: string, visit: (name: string, value: string) => void): void {
  eachPlace(labels, (place) => visit(nameAt(labels, place), valueAt(labels, place)));
}

export function nameAt(labels: string, { nameStart, nameEnd }: Readonly<LabelPlace>): string {
  return labels.charCodeAt(nameStart) === quote
    ? unescaped(labels.slice(nameStart + 1, nameEnd - 1))
    : labels.slice(nameStart, nameEnd);
}

export const valueAt = (labels: string, { valueStart, valueEnd }: Readonly<LabelPlace>): string =>
  unescaped(labels.slice(valueStart, valueEnd));

const unescaped = (text: string): string =>
  text.includes("\\")
    ? text.replaceAll(/\\(.)/gs, (_whole, one: string) => (one === "n" ? "\n" : one))
    : text;

/** Names that have become one share the label, as they would if they had come so. */
export function escapeLabels(labels: string, escaping: Escaping): string {
  const values = new Map<string, string>();
  eachPlace(labels, (place) => {
    const value = labels.slice(place.valueStart, place.valueEnd);
    const name = escapeLabel(nameAt(labels, place), escaping);
    const before = values.get(name);
    values.set(name, before === undefined ? value : `${before};${value}`);
  });
  return Array.from(values, ([name, value]) => `${name}="${value}"`).join();
}
