// The process's environment as values of the kinds that settings have. What cannot be used becomes a
// complaint, once, and counts as absent.

import { choose, membersOf, pairsOf, readSmallFile } from "./values.ts";
import type { Choices } from "./values.ts";
import { checkName, checkValue } from "./variables.ts";

export class Environment {
  readonly complaints: string[] = [];
  readonly #values = new Map<string, string>();

  constructor(environment: NodeJS.ProcessEnv) {
    for (const [name, raw] of Object.entries(environment)) {
      const value = raw?.trim() ?? "";
      if (value === "" || !/^(OTEL|SONDE)_/.test(name)) continue;
      const complaint = checkName(name) ?? checkValue(name, value);
      if (complaint === undefined) this.#values.set(name, value);
      else this.complaints.push(complaint);
    }
  }

  text(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** The first of the names that is set. */
  first(names: readonly string[]): string | undefined {
    return names.find((name) => this.#values.has(name));
  }

  isTrue(names: readonly string[]): boolean {
    return this.text(this.first(names) ?? "")?.toLowerCase() === "true";
  }

  number(name: string, otherwise: number): number;
  number(name: string, otherwise?: number): number | undefined;
  number(name: string, otherwise?: number): number | undefined {
    const value = this.text(name);
    return value === undefined ? otherwise : Number(value);
  }

  /** Of the first of the names that is set. */
  choice<Choice extends string>(
    names: readonly string[],
    choices: readonly Choice[],
  ): Choice | undefined {
    const value = this.text(this.first(names) ?? "")?.toLowerCase();
    return choices.find((choice) => choice === value);
  }

  /** A list separated by commas; "none" empties it, unknown members are left out. */
  list<Choice extends string>(
    name: string,
    choices: Choices<Choice>,
    otherwise: readonly Choice[],
  ): readonly Choice[] {
    const members = membersOf((this.text(name) ?? "").toLowerCase());
    if (members.length === 0) return otherwise;
    if (members.includes("none")) {
      if (members.length > 1) this.complain(`${name}: "none" stands beside others, none it is`);
      return [];
    }
    const known = choose(members, choices, (what) => this.complain(`${name}: ${what}`));
    return known.length > 0 ? known : otherwise;
  }

  /** A list that may also say "all", which is the default. */
  all<Choice extends string>(name: string, choices: Choices<Choice>): readonly Choice[] {
    const members = membersOf((this.text(name) ?? "").toLowerCase());
    return members.includes("all") ? choices.known : this.list(name, choices, choices.known);
  }

  pairs(name: string): Readonly<Record<string, string>> {
    return pairsOf(this.text(name) ?? "", (what) => this.complain(`${name}: ${what}`));
  }

  /** The text of the file that the first of the names that is set points to. */
  file(names: readonly string[]): string | undefined {
    const name = this.first(names);
    if (name === undefined) return undefined;
    return readSmallFile(this.text(name) ?? "", (what) => this.complain(`${name}: ${what}`));
  }

  /** What is common to the signals is read three times and told once. */
  complain(complaint: string): void {
    if (!this.complaints.includes(complaint)) this.complaints.push(complaint);
  }
}
