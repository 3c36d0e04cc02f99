// What is wrong with the configuration, in words: all of it at once, each in a line that names the
// place, the value and what would be right, and no line that tells a secret.

import type { z } from "zod";
import { suggestion } from "./spelling.ts";

/** The user's mistakes. Thrown at start only; the command line prints the message and exits with 2. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** The words for what a schema found, after the value. What the schema says itself comes before these. */
export function wordsFor(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return wordsForType(issue.expected, issue.input);
    case "too_big":
      return issue.origin === "string"
        ? `is too long, at most ${issue.maximum} characters are allowed`
        : `is too large, at most ${issue.maximum} is allowed`;
    case "too_small":
      if (issue.origin === "string") return "is empty";
      return `is too small, at least ${issue.minimum} is needed`;
    case "invalid_value": {
      const values = issue.values.map(String);
      const known = values.length === 1 ? values.join("") : `one of ${values.join(", ")}`;
      return `is not ${known}${typeof issue.input === "string" ? suggestion(issue.input, values) : ""}`;
    }
    case "invalid_union":
      return wordsForUnion(issue.errors);
    case "invalid_key":
      return issue.issues[0]?.message ?? "is not a name";
    case "unrecognized_keys":
      return `has no setting ${issue.keys.map(showName).join(", ")}`;
    default:
      return "is not valid";
  }
}

function wordsForType(expected: string, input: unknown): string {
  if (input === undefined) return "is missing";
  switch (expected) {
    case "string":
      return isPlain(input) ? "is not text; put it in quotes" : "is not text";
    case "int":
      return "is not a whole number";
    case "number":
      return "is not a number";
    case "boolean":
      return "is neither true nor false";
    case "array":
      return "is not a list; put it in [ ]";
    default:
      return "is not a group of names with values";
  }
}

/** The options that are of the value's type know best what is wrong with it. */
function wordsForUnion(options: readonly (readonly z.core.$ZodIssue[])[]): string {
  const first = options.flatMap((issues) => issues.slice(0, 1));
  const close = first.filter(({ code }) => code !== "invalid_type" && code !== "invalid_value");
  return [...new Set((close.length > 0 ? close : first).map(({ message }) => message))].join(
    ", and ",
  );
}

/** `"80a" is not a port`: the value and what is wrong with it. */
export function describe(value: unknown, words: string, isSecret: boolean): string {
  if (value === undefined) return words;
  const isSentence = /^(is|has|must|can|cannot|knows|needs)\b/.test(words);
  return `${showValue(value, isSecret)}${isSentence ? " " : ": "}${words}`;
}

function isPlain(value: unknown): boolean {
  return typeof value === "number" || typeof value === "boolean";
}

const maxShown = 100;

export function showValue(value: unknown, isSecret: boolean): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a group of names with values";
  // Whoever gives a key where its path is wanted shall not find it in a log.
  if (isSecret || (typeof value === "string" && value.includes("-----BEGIN"))) return "***";
  return typeof value === "string" ? quote(withoutUser(value)) : `${value as number | boolean}`;
}

/** A name that somebody made up; quoted where it could be taken for something else. */
export function showName(name: string): string {
  return /^[\w.-]{1,100}$/.test(name) ? name : quote(name);
}

/** In quotes, without control characters, and not longer than a line. */
function quote(text: string): string {
  const isLong = text.length > maxShown;
  const shown = JSON.stringify(isLong ? text.slice(0, maxShown) : text).replaceAll(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    "?",
  );
  return isLong ? `${shown}…` : shown;
}

/** Without user and password of an address; in what is no address, all before an @ could be them. */
export function withoutUser(text: string): string {
  const url = URL.parse(text);
  if (url && url.host !== "") {
    if (url.username === "" && url.password === "") return text;
    const masked = text.replace(/\/\/[^/?#\\]*@/, "//***@");
    if (masked !== text) return masked;
  }
  return text.replace(/^([a-z]+:\/\/)?.*@/is, "$1***@");
}
