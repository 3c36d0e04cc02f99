// Regular expressions that cannot blow up: JavaScript's own take exponential time for some patterns and
// texts, and the texts are those of strangers. The pattern becomes a program whose threads run side by
// side over the text, so the time is that of text × program at most; for the question whether there is a
// match at all, the sets of threads that were met are kept as states, and a step is one look-up.

import { type CharacterSet, named } from "./character-set.ts";
import { type Assertion, type Pattern, parsePattern, PatternFault } from "./syntax.ts";

/** Instructions of a program: the counted repetitions of a pattern are written out in it. */
export const maxProgram = 2000;
/** States that are kept; when there are more, they are forgotten and met again. */
const maxStates = 1000;

/** Throws a PatternFault. */
export function compilePattern(source: string): Matcher {
  const program = new Program();
  program.add(parsePattern(source));
  program.finish();
  return new Matcher(program);
}

// ── the program ──────────────────────────────────────────────────────────────────────────────────

type Instruction =
  | { readonly op: "set"; readonly set: CharacterSet }
  | { readonly op: "assertion"; readonly assertion: Assertion }
  | { readonly op: "fork"; readonly to: number[] }
  | { readonly op: "match" };

class Program {
  readonly instructions: Instruction[] = [];
  readonly boundaries = new Set<number>();

  constructor() {
    this.#bound(named.word);
    this.#bound(named.newline);
  }

  finish(): void {
    this.#push({ op: "match" });
  }

  add(pattern: Pattern): void {
    switch (pattern.kind) {
      case "empty":
        return;
      case "set":
        this.#bound(pattern.set);
        this.#push({ op: "set", set: pattern.set });
        return;
      case "assertion":
        this.#push({ op: "assertion", assertion: pattern.assertion });
        return;
      case "sequence":
        for (const part of pattern.parts) this.add(part);
        return;
      case "choice":
        this.#addChoice(pattern.options);
        return;
      case "repeat":
        this.#addRepeat(pattern);
    }
  }

  #addChoice(options: readonly Pattern[]): void {
    const starts = this.#fork();
    const ends: number[][] = [];
    for (const option of options) {
      starts.push(this.instructions.length);
      this.add(option);
      ends.push(this.#fork());
    }
    for (const end of ends) end.push(this.instructions.length);
  }

  #addRepeat({ part, least, most }: Pattern & { kind: "repeat" }): void {
    const before = this.instructions.length;
    for (let count = 0; count < least; count++) {
      this.add(part);
      // Nothing, however often, is nothing: repetitions of it within one another would never end.
      if (this.instructions.length === before) return;
    }
    if (most === Infinity) {
      const loop = this.instructions.length;
      const fork = this.#fork();
      fork.push(this.instructions.length);
      this.add(part);
      this.#fork().push(loop);
      fork.push(this.instructions.length);
      return;
    }
    const forks: number[][] = [];
    for (let count = least; count < most; count++) {
      const fork = this.#fork();
      fork.push(this.instructions.length);
      forks.push(fork);
      this.add(part);
    }
    for (const fork of forks) fork.push(this.instructions.length);
  }

  #fork(): number[] {
    const to: number[] = [];
    this.#push({ op: "fork", to });
    return to;
  }

  #push(instruction: Instruction): void {
    if (this.instructions.length >= maxProgram) {
      throw new PatternFault("is too large; use smaller repetitions");
    }
    this.instructions.push(instruction);
  }

  #bound({ ranges }: CharacterSet): void {
    for (const [low, high] of ranges) this.boundaries.add(low).add(high + 1);
  }
}

// ── running it ───────────────────────────────────────────────────────────────────────────────────

/** What stands beside a place in the text, for the assertions. */
const edge = 0;
const word = 1;
const newline = 2;
const other = 3;
type Side = typeof edge | typeof word | typeof newline | typeof other;

interface State {
  /** Instructions at which threads stand, before forks and assertions are followed. */
  readonly threads: readonly number[];
  readonly before: Side;
  /** By the class of the next character; the last is for the end of the text. */
  readonly next: (State | undefined)[];
}

const matched: State = { threads: [], before: edge, next: [] };
const dead: State = { threads: [], before: edge, next: [] };

/** Stretches of a text, as pairs of offsets. */
export type Stretches = readonly (readonly [start: number, end: number])[];

export class Matcher {
  readonly #instructions: readonly Instruction[];
  /** First characters of the classes that the pattern does not tell apart. */
  readonly #bounds: Int32Array;
  readonly #ascii = new Uint16Array(128);
  /** For each instruction, whether it takes the characters of a class. */
  readonly #takes: readonly Uint8Array[];
  readonly #sides: readonly Side[];
  readonly #isAnchored: boolean;
  readonly #states = new Map<string, State>();
  readonly #first: State;
  readonly #seen: Float64Array;
  readonly #open: number[] = [];
  readonly #reached: number[] = [];
  #mark = 0;

  constructor({ instructions, boundaries }: Program) {
    this.#instructions = instructions;
    this.#bounds = Int32Array.from([0, ...boundaries]).toSorted();
    this.#seen = new Float64Array(instructions.length);
    for (let code = 0; code < 128; code++) this.#ascii[code] = this.#search(code);
    this.#takes = takenBy(instructions, this.#bounds);
    this.#sides = Array.from(this.#bounds, sideOf);
    // Without a way past "text start" there is nothing to look for further on.
    this.#follow([0], (assertion) => assertion !== "text start");
    this.#isAnchored = this.#reached.length === 0;
    this.#first = this.#state([0], edge);
  }

  /** Whether it matches anywhere in the text. */
  test(text: string): boolean {
    let state = this.#first;
    for (let at = 0; at < text.length; at++) {
      let code = text.charCodeAt(at);
      if (code >= 0xd800 && code < 0xdc00) {
        code = text.codePointAt(at)!;
        if (code > 0xffff) at++;
      }
      const kind = code < 128 ? this.#ascii[code]! : this.#search(code);
      state = state.next[kind] ?? this.#step(state, kind);
      if (state === matched) return true;
      if (state === dead) return false;
    }
    const { length } = this.#bounds;
    return (state.next[length] ?? this.#step(state, length)) === matched;
  }

  /** All that is part of any match, in one pass: each thread knows where the match may have begun. */
  find(text: string): Stretches {
    const found: [number, number][] = [];
    let threads: number[] = [];
    let starts: number[] = [];
    let nextThreads: number[] = [];
    let nextStarts: number[] = [];
    let before: Side = edge;
    for (let at = 0; at <= text.length;) {
      if (!this.#isAnchored || at === 0) {
        threads.push(0);
        starts.push(at);
      }
      const isEnd = at === text.length;
      const code = isEnd ? -1 : text.codePointAt(at)!;
      const kind = isEnd ? -1 : code < 128 ? this.#ascii[code]! : this.#search(code);
      const after: Side = isEnd ? edge : this.#sides[kind]!;
      const side = before;
      const passes = (assertion: Assertion): boolean => holds(assertion, side, after);
      this.#mark++;
      // Threads stand in the order of their starts, so the first to come to a place is the longest.
      for (let index = 0; index < threads.length; index++) {
        this.#reached.length = 0;
        this.#walk(threads[index]!, passes);
        for (const reached of this.#reached) {
          if (this.#instructions[reached]!.op === "match") add(found, starts[index]!, at);
          else if (!isEnd && this.#takes[reached]![kind] === 1) {
            nextThreads.push(reached + 1);
            nextStarts.push(starts[index]!);
          }
        }
      }
      [threads, nextThreads] = [nextThreads, threads];
      [starts, nextStarts] = [nextStarts, starts];
      nextThreads.length = nextStarts.length = 0;
      before = after;
      at += code > 0xffff ? 2 : 1;
    }
    return found;
  }

  #step(state: State, kind: number): State {
    const isEnd = kind === this.#bounds.length;
    const after: Side = isEnd ? edge : this.#sides[kind]!;
    this.#follow(state.threads, (assertion) => holds(assertion, state.before, after));
    let next: State;
    if (this.#reached.some((at) => this.#instructions[at]!.op === "match")) next = matched;
    else {
      const threads = isEnd ? [] : this.#advance(kind);
      next = threads.length === 0 ? dead : this.#state(threads, after);
    }
    state.next[kind] = next;
    return next;
  }

  #advance(kind: number): number[] {
    const threads = new Set<number>(this.#isAnchored ? [] : [0]);
    for (const at of this.#reached) if (this.#takes[at]![kind] === 1) threads.add(at + 1);
    return [...threads].toSorted((a, b) => a - b);
  }

  #state(threads: readonly number[], before: Side): State {
    const key = `${before} ${threads.join(" ")}`;
    const known = this.#states.get(key);
    if (known) return known;
    if (this.#states.size >= maxStates) this.#forget();
    const next = Array.from<State | undefined>({ length: this.#bounds.length + 1 });
    const state = { threads, before, next };
    this.#states.set(key, state);
    return state;
  }

  /** The ways between states too, or the forgotten ones would live on by them. */
  #forget(): void {
    for (const { next } of this.#states.values()) next.fill(undefined);
    this.#first.next.fill(undefined);
    this.#states.clear();
  }

  #follow(threads: readonly number[], passes: (assertion: Assertion) => boolean): void {
    this.#mark++;
    this.#reached.length = 0;
    for (const thread of threads) this.#walk(thread, passes);
  }

  /** Through forks and assertions that hold, to what takes a character or matches. */
  #walk(from: number, passes: (assertion: Assertion) => boolean): void {
    const open = this.#open;
    open.push(from);
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (this.#seen[at] === this.#mark) continue;
      this.#seen[at] = this.#mark;
      const instruction = this.#instructions[at]!;
      if (instruction.op === "fork") for (const to of instruction.to) open.push(to);
      else if (instruction.op !== "assertion") this.#reached.push(at);
      else if (passes(instruction.assertion)) open.push(at + 1);
    }
  }

  #search(code: number): number {
    let low = 0;
    let high = this.#bounds.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#bounds[middle]! <= code) low = middle;
      else high = middle;
    }
    return low;
  }
}

/** Once for each set: repetitions are a thousand times the same one, and to ask takes long. */
function takenBy(instructions: readonly Instruction[], bounds: Int32Array): Uint8Array[] {
  const made = new Map<CharacterSet, Uint8Array>();
  const nothing = new Uint8Array(bounds.length);
  return instructions.map((instruction) => {
    if (instruction.op !== "set") return nothing;
    const { set } = instruction;
    const known = made.get(set);
    if (known) return known;
    const taken = Uint8Array.from(bounds, (code) => Number(set.has(code)));
    made.set(set, taken);
    return taken;
  });
}

function sideOf(code: number): Side {
  if (code === 0x0a) return newline;
  return code < 128 && /\w/.test(String.fromCharCode(code)) ? word : other;
}

function holds(assertion: Assertion, before: Side, after: Side): boolean {
  switch (assertion) {
    case "text start":
      return before === edge;
    case "text end":
      return after === edge;
    case "line start":
      return before === edge || before === newline;
    case "line end":
      return after === edge || after === newline;
    case "word edge":
      return (before === word) !== (after === word);
    default: // no word edge
      return (before === word) === (after === word);
  }
}

/** Ends come in order; what touches the stretches before is joined with them. */
function add(found: [number, number][], start: number, end: number): void {
  if (start === end) return;
  let from = start;
  for (let last = found.at(-1); last && last[1] >= from; last = found.at(-1)) {
    from = Math.min(from, last[0]);
    found.pop();
  }
  found.push([from, end]);
}
