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

/** Of a label as text: the name is quoted where it has to be, quotes in the value are escaped. */
const pair = /("(?:[^"\\]|\\.)*"|[^=,"]+)="((?:[^"\\]|\\.)*)",?/gsy;

/** Both unescaped. */
export function eachLabel(labels: string, visit: (name: string, value: string) => void): void {
  for (const [, name = "", value = ""] of labels.matchAll(pair)) {
    visit(name.startsWith('"') ? unescaped(name.slice(1, -1)) : name, unescaped(value));
  }
}

export const unescaped = (text: string): string =>
  text.includes("\\")
    ? text.replaceAll(/\\(.)/gs, (_whole, one: string) => (one === "n" ? "\n" : one))
    : text;

/** Names that have become one share the label, as they would if they had come so. */
export function escapeLabels(labels: string, escaping: Escaping): string {
  const values = new Map<string, string>();
  for (const [, name = "", value = ""] of labels.matchAll(pair)) {
    const isQuoted = name.startsWith('"');
    const known = isQuoted ? escapeLabel(unescaped(name.slice(1, -1)), escaping) : name;
    const before = values.get(known);
    values.set(known, before === undefined ? value : `${before};${value}`);
  }
  return Array.from(values, ([name, value]) => `${name}="${value}"`).join();
}
