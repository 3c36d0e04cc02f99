// The loop: takes an input that was found, changes it, runs it, and keeps it if it went a way that none
// before it went. Everything follows from the seed and the number of runs, nothing from the clock.

import { Coverage, EndlessError, wordsOf } from "./coverage.ts";
import { Draft, type Material, mutate } from "./mutate.ts";
import { mutateFields } from "./mutate-fields.ts";
import { mutateText } from "./mutate-text.ts";
import { Random } from "./random.ts";
import type { Target } from "./target.ts";

export interface Limits {
  readonly seed: number;
  /** Whichever is reached first. */
  readonly runs: number;
  readonly seconds: number;
  /** Without looking at the coverage, to show what it is good for. */
  readonly isBlind?: boolean;
}

export interface Result {
  readonly name: string;
  readonly runs: number;
  readonly taken: number;
  readonly seconds: number;
  /** Of the whole process: compiler and garbage collection are in it. */
  readonly cpuSeconds: number;
  readonly corpus: number;
  /** Of the seeds alone, and in the end. */
  readonly seedFeatures: number;
  readonly features: number;
  readonly branches: { readonly reached: number; readonly all: number };
  readonly slowest: { readonly ms: number; readonly input: Uint8Array };
  readonly startRssBytes: number;
  readonly peakRssBytes: number;
  /** The first input that broke something, which ends the run. */
  readonly crash: { readonly input: Uint8Array; readonly error: unknown } | undefined;
}

export async function fuzz(target: Target, limits: Limits): Promise<Result> {
  // Refusals are often errors, and to collect their stacks would take longer than all the rest.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  let result: Result;
  try {
    result = await new Fuzzing(target, limits).run();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  if (!result.crash) return result;
  const { input } = result.crash;
  const error = await runOnce(target, input).then(
    () => result.crash?.error,
    (withStack: unknown) => withStack,
  );
  return { ...result, crash: { input, error } };
}

/** Runs one input as the loop does. */
export async function runOnce(target: Target, input: Uint8Array): Promise<boolean> {
  const coverage = new Coverage(target.covers);
  coverage.begin(turnsFor(target, input));
  try {
    const isTaken = await target.run(input);
    await target.inspect?.(input, isTaken);
    return isTaken;
  } finally {
    coverage.end();
  }
}

/** How often one loop may turn: far more than any linear walk does. */
function turnsFor({ turns = 10_000 }: Target, { length }: Uint8Array): number {
  return turns + 200 * length;
}

const inspectEvery = 64;
const maxCorpus = 20_000;
const clockEvery = 64;
const nothing = new Uint8Array(0);

class Fuzzing {
  readonly #target: Target;
  readonly #limits: Limits;
  readonly #random: Random;
  readonly #coverage: Coverage;
  readonly #draft: Draft;
  readonly #material: Material;
  readonly #corpus: Uint8Array[] = [];
  #taken = 0;
  #judged = 0;
  #isSeeding = true;
  #slowest: Result["slowest"] = { ms: 0, input: nothing };
  #peakRssBytes = 0;
  #crash: Result["crash"];

  constructor(target: Target, limits: Limits) {
    this.#target = target;
    this.#limits = limits;
    this.#random = new Random(limits.seed);
    this.#coverage = new Coverage(target.covers);
    this.#draft = new Draft(target.maxBytes ?? 4096);
    const words = [...wordsOf(target.covers), ...(target.words ?? [])];
    this.#material = {
      random: this.#random,
      words: words.map((word) => (typeof word === "string" ? Buffer.from(word, "latin1") : word)),
      other: () => (this.#corpus.length > 0 ? this.#random.of(this.#corpus) : nothing),
    };
  }

  async run(): Promise<Result> {
    const seeds = [...this.#target.seeds(this.#random)];
    this.#measure();
    const startRssBytes = this.#peakRssBytes;
    const began = performance.now();
    const cpuBegan = process.cpuUsage();
    const end = began + this.#limits.seconds * 1000;
    let runs = 0;
    for (const seed of seeds) {
      if (this.#crash) break;
      await this.#try(seed);
      if (this.#limits.isBlind) this.#corpus.push(seed);
      runs++;
    }
    this.#isSeeding = false;
    const seedFeatures = this.#coverage.features;
    while (!this.#crash && runs < this.#limits.runs) {
      if (runs % clockEvery === 0 && performance.now() >= end) break;
      const input = this.#next();
      const done = this.#try(input);
      if (done) await done;
      runs++;
      if (runs % 16_384 === 0) this.#measure();
    }
    this.#measure();
    const { user, system } = process.cpuUsage(cpuBegan);
    return {
      name: this.#target.name,
      runs,
      taken: this.#taken,
      seconds: (performance.now() - began) / 1000,
      cpuSeconds: (user + system) / 1e6,
      corpus: this.#corpus.length,
      seedFeatures,
      features: this.#coverage.features,
      branches: this.#coverage.branches,
      slowest: this.#slowest,
      startRssBytes,
      peakRssBytes: this.#peakRssBytes,
      crash: this.#crash,
    };
  }

  #next(): Uint8Array {
    const random = this.#random;
    const draft = this.#draft;
    draft.fill(this.#choose());
    for (let left = random.few(6); left > 0; left--) {
      const isStructural = this.#target.shape !== undefined && !random.once(3);
      if (!isStructural) mutate(draft, this.#material);
      else if (this.#target.shape === "text") mutateText(draft, this.#material);
      else mutateFields(draft, this.#material);
    }
    return draft.input();
  }

  /** Rather the new, which may lead on, and the short, which are quick and in which more changes hit. */
  #choose(): Uint8Array {
    const random = this.#random;
    const corpus = this.#corpus;
    if (corpus.length === 0) return nothing;
    if (random.once(4)) return corpus[corpus.length - 1 - random.below(1 + (corpus.length >> 3))]!;
    const [one, another] = [random.of(corpus), random.of(corpus)];
    return another.length < one.length ? another : one;
  }

  /** Undefined when it is done already: an await for each input would take longer than most of them. */
  #try(input: Uint8Array): Promise<void> | undefined {
    this.#coverage.begin(turnsFor(this.#target, input));
    const began = performance.now();
    const fail = (error: unknown): void => {
      this.#coverage.end();
      this.#crash ??= { input, error };
    };
    try {
      const answer = this.#target.run(input);
      const judged =
        answer instanceof Promise
          ? answer.then((isTaken) => this.#judge(input, isTaken, began))
          : this.#judge(input, answer, began);
      return judged?.catch(fail);
    } catch (error) {
      fail(error);
      return undefined;
    }
  }

  #judge(input: Uint8Array, isTaken: boolean, began: number): Promise<void> | undefined {
    const ms = performance.now() - began;
    if (ms > this.#slowest.ms) this.#slowest = { ms, input };
    if (this.#coverage.wasStopped)
      throw new EndlessError("a loop was stopped, and that was caught");
    const fresh = this.#coverage.end();
    const isKept = fresh.length > 0 && !this.#limits.isBlind && this.#corpus.length < maxCorpus;
    if (isKept) this.#corpus.push(input);
    if (isTaken) this.#taken++;
    const isOne = fresh.length > 0 || this.#isSeeding || ++this.#judged % inspectEvery === 0;
    if (!isOne) return undefined;
    return this.#target.inspect?.(input, isTaken) ?? undefined;
  }

  #measure(): void {
    this.#peakRssBytes = Math.max(this.#peakRssBytes, process.memoryUsage.rss());
  }
}
