// The process's environment as values of the kinds that settings have. What cannot be used becomes a
// complaint, once, and counts as absent.

import { readFileSync } from "node:fs";
import { messageOf } from "./tell.ts";
import { checkName, checkValue, didYouMean } from "./variables.ts";

export class Environment {
  readonly complaints: string[] = [];
  readonly #values = new Map<string, string>();

  constructor(environment: NodeJS.ProcessEnv) {
    for (const [name, raw] of Object.entries(environment)) {
      const value = raw?.trim() ?? "";
      if (value === "") continue;
      const complaint = checkName(name) ?? checkValue(name, value);
      if (complaint === undefined) this.#values.set(name, value);
      else this.complaints.push(complaint);
    }
  }

  text(name: string): string | undefined {
    return this.#values.get(name);
  }

  number(name: string, otherwise: number): number;
  number(name: string, otherwise?: number): number | undefined;
  number(name: string, otherwise?: number): number | undefined {
    const value = this.text(name);
    return value === undefined ? otherwise : Number(value);
  }

  /** The first of the names that is set. */
  choice<Choice extends string>(
    names: readonly string[],
    choices: readonly Choice[],
  ): Choice | undefined {
    const value = names.map((name) => this.text(name)).find((value) => value !== undefined);
    return choices.find((choice) => choice === value?.toLowerCase());
  }

  /** A list separated by commas; "none" empties it, unknown members are left out. */
  list<Choice extends string>(
    name: string,
    choices: readonly Choice[],
    otherwise: readonly Choice[],
  ): readonly Choice[] {
    const members = this.#members(name);
    if (members.length === 0) return otherwise;
    if (members.includes("none")) return [];
    const known = choices.filter((choice) => members.includes(choice));
    for (const member of members) {
      if (choices.some((choice) => choice === member)) continue;
      const meant = didYouMean(member, choices) || `; known are ${choices.join(", ")}`;
      this.complaints.push(`${name}: "${member}" is not supported, ignored${meant}`);
    }
    return known.length > 0 ? known : otherwise;
  }

  /** A list that may also say "all", which is the default. */
  all<Choice extends string>(name: string, choices: readonly Choice[]): readonly Choice[] {
    return this.#members(name).includes("all") ? choices : this.list(name, choices, choices);
  }

  /** `key=value,…`, percent-encoded; by the specification one error discards all of it. */
  pairs(name: string): Readonly<Record<string, string>> {
    const pairs: [string, string][] = [];
    for (const member of this.text(name)?.split(",") ?? []) {
      if (member.trim() === "") continue;
      const at = member.indexOf("=");
      const key = decode(member.slice(0, Math.max(at, 0)).trim());
      const value = decode(member.slice(at + 1).trim());
      if (!key || value === undefined) {
        // Values of headers are secrets.
        this.complain(`${name}: "${key ?? ""}…" is not key=value, all of it is ignored`);
        return {};
      }
      pairs.push([key, value]);
    }
    return Object.fromEntries(pairs);
  }

  /** The text of the file that the first of the names that is set points to. */
  file(names: readonly string[]): string | undefined {
    const name = names.find((name) => this.text(name) !== undefined);
    if (name === undefined) return undefined;
    try {
      return readFileSync(this.text(name) ?? "", "utf8");
    } catch (error) {
      this.complain(`${name}: cannot be read: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** What is common to the signals is read three times and told once. */
  complain(complaint: string): void {
    if (!this.complaints.includes(complaint)) this.complaints.push(complaint);
  }

  #members(name: string): string[] {
    const members = (this.text(name) ?? "").toLowerCase().split(",");
    return [...new Set(members.map((member) => member.trim()).filter((member) => member !== ""))];
  }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
