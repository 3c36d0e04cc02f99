// One mapping of a configuration file, read key by key. A value that makes no sense, a key that does not
// exist and one that is missing end the reading with a ConfigProblem; what exists and is not supported is
// told and left out.

import { didYouMean, printable, quoted } from "../values.ts";
import { longestMs } from "../variables.ts";
import { ConfigProblem } from "./document.ts";
import type { ConfigDocument, Path } from "./document.ts";

export interface ConfigFile extends ConfigDocument {
  readonly name: string;
  readonly complaints: string[];
}

const deepest = 50;

export class Section {
  readonly #file: ConfigFile;
  readonly #path: Path;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #known = new Set<string>();

  constructor(file: ConfigFile, path: Path, value: unknown) {
    this.#file = file;
    this.#path = path;
    if (path.length > deepest) this.#fail(path, `lies deeper than ${deepest} levels`);
    if (value !== null && (typeof value !== "object" || Array.isArray(value))) {
      this.#fail(path, "is not a mapping");
    }
    this.#values = (value ?? {}) as Readonly<Record<string, unknown>>; // checked above
  }

  get keys(): readonly string[] {
    return Object.keys(this.#values);
  }

  /** Also with no value, which is how the schema writes what has no options. */
  has(key: string): boolean {
    this.#known.add(key);
    return Object.hasOwn(this.#values, key);
  }

  /** Undefined if absent or null. */
  value(key: string): unknown {
    return this.has(key) ? (this.#values[key] ?? undefined) : undefined;
  }

  text(key: string): string | undefined {
    const value = this.value(key);
    if (value === undefined || typeof value === "string") return value;
    return this.fail(key, `${shown(value)} is not text; put it in quotes`);
  }

  whole(key: string, otherwise: number, least?: number): number;
  whole(key: string, otherwise?: number, least?: number): number | undefined;
  whole(key: string, otherwise?: number, least = 0): number | undefined {
    const value = this.value(key);
    if (value === undefined) return otherwise;
    const isWhole = typeof value === "number" && Number.isInteger(value);
    if (isWhole && value >= least && value <= longestMs) return value;
    return this.fail(key, `${shown(value)} is not a whole number from ${least} to ${longestMs}`);
  }

  ratio(key: string, otherwise: number): number {
    const value = this.value(key);
    if (value === undefined) return otherwise;
    if (typeof value === "number" && value >= 0 && value <= 1) return value;
    return this.fail(key, `${shown(value)} is not between 0 and 1`);
  }

  flag(key: string): boolean | undefined {
    const value = this.value(key);
    if (value === undefined || typeof value === "boolean") return value;
    return this.fail(key, `${shown(value)} is neither true nor false`);
  }

  choice<Choice extends string>(key: string, choices: readonly Choice[]): Choice | undefined {
    const value = this.value(key);
    const choice = choices.find((choice) => choice === value);
    if (value === undefined || choice !== undefined) return choice;
    const meant = typeof value === "string" ? didYouMean(value, choices) : "";
    return this.fail(key, `${shown(value)} is none of ${choices.join(", ")}${meant}`);
  }

  /** Undefined if absent. */
  section(key: string): Section | undefined {
    return this.has(key) ? this.#inner([key], this.#values[key]) : undefined;
  }

  /** One that has to be there. */
  required(key: string): Section {
    return this.section(key) ?? this.fail(key, "is missing");
  }

  sections(key: string): readonly Section[] {
    return this.#list(key).map((value, index) => this.#inner([key, index], value));
  }

  texts(key: string): readonly string[] {
    return this.#list(key).map((value) =>
      typeof value === "string" ? value : this.fail(key, `${shown(value)} is not text`),
    );
  }

  /** Numbers, each greater than the one before. */
  rising(key: string): readonly number[] {
    return this.#list(key).map((value, index, all) => {
      const isNumber = typeof value === "number" && Number.isFinite(value);
      if (isNumber && (index === 0 || value > (all[index - 1] as number))) return value; // checked before
      return this.fail(key, `${shown(value)} is not a number greater than the one before it`);
    });
  }

  /** Of a mapping that chooses one of several kinds: the one it chooses. */
  only<Kind extends string>(kinds: readonly Kind[]): [kind: Kind, section: Section] {
    const [key = "", ...others] = this.keys;
    if (others.length > 0 || key === "") {
      return this.#fail(
        this.#path,
        `holds ${this.keys.length} keys, one of ${kinds.join(", ")} it is`,
      );
    }
    const kind = kinds.find((kind) => kind === key);
    if (kind === undefined) {
      const meant = didYouMean(key, kinds) || `; known are ${kinds.join(", ")}`;
      return this.fail(key, `there is no such kind${meant}`);
    }
    return [kind, this.#inner([key], this.#values[key])];
  }

  /** Says that these are not supported, where they are there. */
  skip(keys: readonly string[], reason = "not supported, ignored"): void {
    for (const key of keys) if (this.has(key)) this.complain(key, reason);
  }

  /** All keys that exist have been asked for. */
  done(): void {
    for (const key of this.keys) {
      if (this.#known.has(key)) continue;
      if (key.endsWith("/development")) this.complain(key, "not supported, ignored");
      else this.fail(key, `there is no such key${didYouMean(key, this.#known)}`);
    }
  }

  complain(key: string | undefined, what: string): void {
    const path = key === undefined ? this.#path : [...this.#path, key];
    this.#file.complaints.push(placed(this.#file, path, what));
  }

  fail(key: string, what: string): never {
    return this.#fail([...this.#path, key], what);
  }

  #fail(path: Path, what: string): never {
    throw new ConfigProblem(this.#file.lineOf(path), `${printed(path)}: ${what}`);
  }

  #inner(path: Path, value: unknown): Section {
    return new Section(this.#file, [...this.#path, ...path], value);
  }

  #list(key: string): readonly unknown[] {
    const value = this.value(key);
    if (value === undefined || Array.isArray(value)) return (value as unknown[] | undefined) ?? []; // as checked
    return this.fail(key, "is not a list");
  }
}

function shown(value: unknown): string {
  const text = textOf(value);
  return text === undefined ? "what stands there" : quoted(text);
}

/** Of a scalar. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

function placed(file: ConfigFile, path: Path, what: string): string {
  return `${printable(file.name)}:${file.lineOf(path)} ${printed(path)}: ${what}`;
}

/** tracer_provider.processors[0].batch */
function printed(path: Path): string {
  const text = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("");
  return printable(text.replace(/^\./, "") || "the file", 120);
}
