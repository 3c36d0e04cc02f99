// Which ways through the program an input takes: modules of collector/ that are imported after
// `instrumentImports` count their branches here.

import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import { instrument } from "./instrument.ts";

const root = new URL("../../", import.meta.url).href;
const self = import.meta.url;

interface Module {
  /** Counter 0 is not one: it holds how often a loop may turn. */
  readonly counters: Uint32Array;
  readonly words: readonly string[];
}

const modules = new Map<string, Module>();
const words = new Map<string, readonly string[]>();

/** `folders` are given from the repository's root, such as collector/. */
export function instrumentImports(folders: readonly string[]): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const path = url.startsWith(root) ? url.slice(root.length) : "";
      if (!path.endsWith(".ts") || !folders.some((folder) => path.startsWith(folder)))
        return loaded;
      const made = instrument(textOf(loaded.source), (counters) => {
        const call = `__enter(${JSON.stringify(path)},${counters})`;
        const imports = `import{enter as __enter,stop as __stop}from${JSON.stringify(self)};`;
        return `${imports}const __counters=${call};`;
      });
      words.set(path, made.words);
      return { format: "module", source: made.source, shortCircuit: true };
    },
  });
}

function textOf(source: unknown): string {
  return typeof source === "string" ? source : Buffer.from(source as Uint8Array).toString();
}

/** Called by instrumented modules as they load. */
export function enter(path: string, size: number): Uint32Array {
  const counters = new Uint32Array(size);
  counters[0] = noLimit;
  modules.set(path, { counters, words: words.get(path) ?? [] });
  return counters;
}

/** Called by an instrumented loop that turned too often. */
export function stop(): never {
  wasStopped = true;
  throw new EndlessError("a loop turns without end");
}

export class EndlessError extends Error {
  override readonly name = "EndlessError";
}

let wasStopped = false;

const noLimit = 0xffff_ffff;

/** Counts that differ are another way only if they differ by much: 1, 2, 3, 4–7, 8–15, …, 128 and more. */
const buckets = Uint8Array.from({ length: 129 }, (_, count) => {
  if (count < 4) return count === 0 ? 0 : 1 << (count - 1);
  return count < 8 ? 8 : count < 16 ? 16 : count < 32 ? 32 : count < 128 ? 64 : 128;
});

/** The branches of some modules: what one input reached, and what all so far have. */
export class Coverage {
  /** Branches, each with the buckets of its count. */
  features = 0;
  readonly #counters: readonly Uint32Array[];
  readonly #seen: readonly Uint8Array[];

  /** Paths of the modules from the repository's root. */
  constructor(paths: readonly string[]) {
    this.#counters = paths.map((path) => {
      const found = modules.get(path);
      if (!found) throw new Error(`${path} was not imported, or not after instrumentImports()`);
      return found.counters;
    });
    this.#seen = this.#counters.map(({ length }) => new Uint8Array(length));
  }

  get branches(): { readonly reached: number; readonly all: number } {
    let reached = 0;
    for (const seen of this.#seen) for (const bits of seen) if (bits !== 0) reached++;
    return { reached, all: this.#counters.reduce((sum, { length }) => sum + length - 1, 0) };
  }

  /** Before an input; no loop may turn more often than `turns`. */
  begin(turns: number): void {
    wasStopped = false;
    for (const counters of this.#counters) {
      counters.fill(0);
      counters[0] = turns;
    }
  }

  /** Whether a loop was stopped, even if the program caught that error. */
  get wasStopped(): boolean {
    return wasStopped;
  }

  /** After an input: the features that are new, by a number of their own. */
  end(): number[] {
    let fresh: number[] | undefined;
    let base = 0;
    for (let index = 0; index < this.#counters.length; index++) {
      const counters = this.#counters[index]!;
      const seen = this.#seen[index]!;
      counters[0] = 0;
      for (let at = 1; at < counters.length; at++) {
        const count = counters[at]!;
        if (count === 0) continue;
        const bucket = buckets[count < 128 ? count : 128]!;
        if ((seen[at]! & bucket) !== 0) continue;
        seen[at]! |= bucket;
        (fresh ??= []).push((base + at) * 256 + bucket);
      }
      counters[0] = noLimit;
      base += counters.length;
    }
    this.features += fresh?.length ?? 0;
    return fresh ?? none;
  }
}

const none: number[] = [];

/** What the modules compare with, for the dictionary. */
export function wordsOf(paths: readonly string[]): string[] {
  return paths.flatMap((path) => modules.get(path)?.words ?? []);
}

export const repositoryRoot = fileURLToPath(root);
