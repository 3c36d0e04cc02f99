// Values with a form of their own, the same in the environment and in a configuration file: lists and
// `key=value` pairs. What is wrong with them is handed to `complain`, without the name it stands under. And
// the words of complaints: what the user wrote, made fit for a line, and what may have been meant.

import { readFileSync, statSync } from "node:fs";
import { messageOf } from "./tell.ts";

type Complain = (what: string) => void;

/** The members of a list separated by commas, each once, in their order. */
export function membersOf(text: string): string[] {
  const members = text.split(",").map((member) => member.trim());
  return [...new Set(members.filter((member) => member !== ""))];
}

export interface Choices<Choice extends string> {
  readonly known: readonly Choice[];
  /** Names that are right somewhere else, and what to say of them; nothing if empty. */
  readonly elsewhere?: Readonly<Record<string, string>>;
}

/** Those that are known, in the order in which they are asked for. */
export function choose<Choice extends string>(
  members: readonly string[],
  { known, elsewhere = {} }: Choices<Choice>,
  complain: Complain,
): readonly Choice[] {
  return members.flatMap((member) => {
    const choice = known.find((one) => one === member);
    if (choice !== undefined) return choice;
    const reason = Object.hasOwn(elsewhere, member) ? elsewhere[member] : undefined;
    if (reason === "") return [];
    const meant = didYouMean(member, known) || `; known are ${known.join(", ")}`;
    complain(`${quoted(member)} is not supported, ignored${reason ? `: ${reason}` : meant}`);
    return [];
  });
}

/** `key=value,…`, percent-encoded; by the specification one error discards all of it. */
export function pairsOf(text: string, complain: Complain): Readonly<Record<string, string>> {
  const pairs: [string, string][] = [];
  for (const member of text.split(",")) {
    if (member.trim() === "") continue;
    const at = member.indexOf("=");
    const key = decode(member.slice(0, Math.max(at, 0)).trim());
    const value = decode(member.slice(at + 1).trim());
    if (!key || value === undefined) {
      // Values of headers are secrets.
      complain(`"${printable(key ?? "")}…" is not key=value, all of it is ignored`);
      return {};
    }
    pairs.push([key, value]);
  }
  return Object.fromEntries(pairs);
}

/** In lower case, as HTTP has them; one that Node would refuse to send would cost every request. */
export function headersOf(
  pairs: Readonly<Record<string, string>>,
  complain: Complain,
): Readonly<Record<string, string>> {
  const headers: [string, string][] = [];
  for (const [name, value] of Object.entries(pairs)) {
    const isSendable =
      /^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name) && /^[\t -~\x80-\xff]*$/.test(value);
    if (isSendable) headers.push([name.toLowerCase(), value]);
    else complain(`${quoted(name)} is not a header that HTTP can carry, ignored`);
  }
  return Object.fromEntries(headers);
}

/** Those of RFC 9110, with PATCH and QUERY; a list of one's own replaces them. */
export function knownMethods(own: readonly string[]): ReadonlySet<string> {
  return new Set(own.length > 0 ? own : standardMethods);
}

const standardMethods = "CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE".split(" ");

const mostFileBytes = 1024 * 1024;

/** A pipe or a device would make the app wait before it has begun. */
export function readSmallFile(path: string, complain: Complain): string | undefined {
  try {
    const { size } = statFile(path);
    if (size <= mostFileBytes) return readFileSync(path, "utf8");
    complain(`${quoted(path)} has ${size} bytes, at most ${mostFileBytes} are read`);
  } catch (error) {
    complain(`cannot be read: ${printable(messageOf(error), 200)}`);
  }
  return undefined;
}

function statFile(path: string): { readonly size: number } {
  const found = statSync(path);
  if (!found.isFile()) throw new Error(`${path} is not a file`);
  return found;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Values come from anywhere: a line stays a line, and a short one. */
export function printable(text: string, most = 80): string {
  const clean = text.slice(0, most + 1).replaceAll(/[^ -~]/g, "?");
  return clean.length > most ? `${clean.slice(0, most)}…` : clean;
}

/** Without the password that a URL may hold. */
export function quoted(text: string): string {
  return `"${printable(text.slice(0, 1000).replaceAll(/\/\/[^/@]*@/g, "//REDACTED@"))}"`;
}

/** `; did you mean X?` where one of the names is close enough to be meant. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  if (name.length > 100) return ""; // comparing takes time by the square
  let best = "";
  let bestDistance = Math.min(4, Math.floor(name.length / 3) + 2);
  for (const candidate of candidates) {
    const distance = distanceBetween(name, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best && `; did you mean ${best}?`;
}

/** Levenshtein's: how many letters to add, drop or change. */
function distanceBetween(left: string, right: string): number {
  let above = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const line = [row];
    for (let column = 1; column <= right.length; column++) {
      const change = above[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1);
      line.push(Math.min(change, above[column]! + 1, line[column - 1]! + 1));
    }
    above = line;
  }
  return above[right.length]!;
}
