// What became of a trace at each output: the log is searched for its spans, the place of each is compared
// with the outputs' cursors, steps are applied once more to see which took it, and dead letters are
// searched for what was refused.

import { open } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import type { Entry, Position } from "../log/log.ts";
import type { Line } from "../output/books.ts";
import { batchIn, idOf, readLines } from "../output/dead-letter-file.ts";
import type { Step } from "../step/step.ts";
import type { Batch, Signal } from "../wire/batch.ts";
import { type FoundSpan, spansOf } from "./trace-search.ts";

export interface WhereSource {
  /** What the log still has, oldest first. */
  readonly held: () => AsyncIterable<Entry>;
  readonly outputs: readonly WhereOutput[];
  /** Ends the search. */
  readonly signal?: AbortSignal;
}

export interface WhereOutput {
  readonly name: string;
  /** Its cursor: everything below has been dealt with. */
  readonly position: Position;
  readonly books: Iterable<Line>;
  /** Path of its dead letters. */
  readonly deadLetters: string;
  /** What it takes, and what stands before it; undefined where only the books can tell. */
  readonly wants?: readonly Signal[] | undefined;
  readonly steps?: readonly Step[] | undefined;
  /** Why it does not deliver at the moment. */
  readonly failure?: { readonly reason: string; readonly detail: string } | undefined;
}

/** As the API answers it. */
export interface TraceReport {
  readonly trace_id: string;
  /** All of them; the list below is cut off at 1000. */
  readonly span_count: number;
  readonly spans: readonly ReportedSpan[];
  readonly outputs: readonly OutputReport[];
}

export interface ReportedSpan {
  readonly span_id: string;
  readonly name: string;
  readonly service: string;
  /** Of its batch in the log. */
  readonly position: Position;
  readonly received: string;
  /** False for what only a dead letter still has. */
  readonly is_in_log: boolean;
}

export interface OutputReport {
  readonly output: string;
  readonly outcomes: readonly ReportedOutcome[];
  /** Spans that it refused and of which no letter is left: what counts as delivered may be among them. */
  readonly refused_without_letter: number;
  readonly failure?: { readonly reason: string; readonly detail: string };
}

export interface ReportedOutcome {
  /** `passed`: delivered or filtered, which only a running collector can tell. */
  readonly outcome: "delivered" | "waiting" | "filtered" | "rejected" | "passed";
  readonly spans: number;
  /** Of what is filtered: the step that took it, else the reason. */
  readonly step?: string;
  readonly reason?: string;
  readonly detail?: string;
  /** Of what is rejected: ids of the dead letters, the first 20. */
  readonly letters?: readonly string[];
  /** Of what waits: what is to be delivered before the last of it. */
  readonly before_it?: Amount;
  /** Of what waits: since the first of it was received. */
  readonly age_s?: number;
}

export interface Amount {
  readonly batches: number;
  readonly items: number;
  readonly bytes: number;
}

const mostSpansListed = 1000;
const mostLettersListed = 20;
/** So much is searched before others get a turn. */
const turnBytes = 1 << 20;

export async function where(traceId: Buffer, source: WhereSource): Promise<TraceReport> {
  // The cursors are known, then letters are read, then the log: whatever a cursor has passed by now has
  // its letter written, and what the log deletes meanwhile was passed by all.
  const ledgers: Ledger[] = [];
  for (const output of source.outputs) {
    const ledger = new Ledger(output);
    await ledger.readLetters(traceId, source.signal);
    ledgers.push(ledger);
  }
  const spans: ReportedSpan[] = [];
  let count = 0;
  const list = (listed: readonly ReportedSpan[]): void => {
    count += listed.length;
    for (const span of listed) if (spans.length < mostSpansListed) spans.push(span);
  };
  let searched = 0;
  for await (const entry of source.held()) {
    source.signal?.throwIfAborted();
    const found = spansOf(traceId, entry.batch);
    for (const ledger of ledgers) ledger.enter(entry, found, traceId);
    const received = new Date(entry.atMs).toISOString();
    list(
      found.map((span) => reported(span, { position: entry.position, received, isInLog: true })),
    );
    searched += entry.batch.bytes.length;
    if (searched < turnBytes) continue;
    searched = 0;
    await setImmediate();
  }
  const alone = ledgers.flatMap((ledger) => ledger.enterLettersAlone());
  list([...new Map(alone.map((span) => [`${span.position} ${span.span_id}`, span])).values()]);
  const outputs = ledgers.map((ledger) => ledger.report());
  return { trace_id: traceId.toString("hex"), span_count: count, spans, outputs };
}

interface Letter {
  readonly id: string;
  readonly at: string;
  readonly position: Position;
  /** It is about this batch and some that came later. */
  readonly isOfSeveral: boolean;
  readonly reason: string;
  readonly detail: string;
  readonly span: FoundSpan;
}

/** What becomes of the trace at one output, added up. */
class Ledger {
  readonly #output: WhereOutput;
  readonly #outcomes = new Map<string, ReportedOutcome>();
  /** By the span that it holds; those that have been accounted for are taken out. */
  readonly #letters = new Map<string, Letter[]>();
  #lettersSpans = 0;
  /** What is not delivered yet, up to where the search has come. */
  #ahead: Amount = { batches: 0, items: 0, bytes: 0 };

  constructor(output: WhereOutput) {
    this.#output = output;
  }

  async readLetters(traceId: Buffer, signal: AbortSignal | undefined): Promise<void> {
    const handle = await open(this.#output.deadLetters, "r").catch(noFile);
    if (!handle) return;
    try {
      for await (const { letter } of readLines(handle, 0, (await handle.stat()).size)) {
        signal?.throwIfAborted();
        if (letter?.signal !== "traces") continue;
        this.#lettersSpans += letter.items;
        const spans = lettersSpans(traceId, batchIn(letter));
        if (spans.length === 0) continue;
        const { at, position, reason, detail, among } = letter;
        const isOfSeveral = among !== undefined;
        for (const span of spans) {
          const kept = { id: idOf(letter), at, position, isOfSeveral, reason, detail, span };
          this.#letters.set(span.spanId, [...(this.#letters.get(span.spanId) ?? []), kept]);
        }
      }
    } finally {
      await handle.close();
    }
  }

  enter({ position, batch, atMs }: Entry, found: readonly FoundSpan[], traceId: Buffer): void {
    const isWaiting = position >= this.#output.position;
    if (found.length > 0) {
      if (isWaiting) this.#addWaiting(found, position, atMs);
      else this.#addPassed(found, { position, batch, traceId });
    }
    if (!isWaiting) return;
    const { batches, items, bytes } = this.#ahead;
    this.#ahead = {
      batches: batches + 1,
      items: items + batch.items,
      bytes: bytes + batch.bytes.length,
    };
  }

  /** Letters whose batch the log does not have any more. */
  enterLettersAlone(): ReportedSpan[] {
    const alone: ReportedSpan[] = [];
    for (const letter of [...this.#letters.values()].flat()) {
      this.#addRejected(letter);
      const { position, at: received, span } = letter;
      alone.push(reported(span, { position, received, isInLog: false }));
    }
    return alone;
  }

  report(): OutputReport {
    const { name, failure, books } = this.#output;
    let rejected = 0;
    for (const { signal, outcome, items } of books) {
      if (signal === "traces" && outcome === "rejected") rejected += items;
    }
    return {
      output: name,
      outcomes: [...this.#outcomes.values()],
      refused_without_letter: Math.max(0, rejected - this.#lettersSpans),
      ...(failure ? { failure: { reason: failure.reason, detail: failure.detail } } : {}),
    };
  }

  #addPassed(
    found: readonly FoundSpan[],
    { position, batch, traceId }: { position: Position; batch: Batch; traceId: Buffer },
  ): void {
    const { wants, steps = [] } = this.#output;
    const takenBy = wants?.includes("traces") ? stepsThatTook(traceId, batch, steps) : undefined;
    for (const { spanId } of found) {
      const letter = this.#takeLetter(spanId, position);
      const step = takenBy?.get(spanId);
      if (letter) {
        this.#addRejected(letter);
      } else if (step !== undefined) {
        this.#add(step, { outcome: "filtered", spans: 1, step });
      } else {
        this.#add("", { ...this.#asTheBooksSay(), spans: 1 });
      }
    }
  }

  #takeLetter(spanId: string, at: Position): Letter | undefined {
    const letters = this.#letters.get(spanId) ?? [];
    const index = letters.findIndex(
      ({ position, isOfSeveral }) => position === at || (isOfSeveral && position < at),
    );
    return index < 0 ? undefined : letters.splice(index, 1)[0];
  }

  /** What no step and no letter accounts for. */
  #asTheBooksSay(): Omit<ReportedOutcome, "spans"> {
    const { wants, books } = this.#output;
    if (wants && !wants.includes("traces")) return { outcome: "filtered", reason: "not_wanted" };
    const lines = [...books].filter(({ signal }) => signal === "traces");
    const has = (what: Line["outcome"]): boolean => lines.some(({ outcome }) => outcome === what);
    const filtered = lines.filter(({ outcome }) => outcome === "filtered");
    if (wants || filtered.length === 0) {
      return has("rejected") && !has("delivered") ? withoutLetter : { outcome: "delivered" };
    }
    // Without the collector nobody knows the steps; but it may be that all spans went the same way.
    if (has("delivered") || has("rejected")) return { outcome: "passed" };
    const reasons = filtered.map(({ reason }) => reason);
    const step = reasons.length === 1 ? /^step:(.*)/.exec(reasons[0]!)?.[1] : undefined;
    return { outcome: "filtered", ...(step ? { step } : { reason: reasons.join(", ") }) };
  }

  #addRejected({ id, reason, detail }: Letter): void {
    const known = this.#outcomes.get(`rejected ${reason} ${detail}`)?.letters ?? [];
    const isNew = !known.includes(id) && known.length < mostLettersListed;
    const letters = isNew ? [...known, id] : known;
    this.#add(`${reason} ${detail}`, { outcome: "rejected", spans: 1, reason, detail, letters });
  }

  #addWaiting(found: readonly FoundSpan[], position: Position, atMs: number): void {
    // A letter whose batch was not committed will be written again.
    for (const { spanId } of found) this.#takeLetter(spanId, position);
    const first = this.#outcomes.get("waiting ");
    const age_s = first?.age_s ?? Math.max(0, (Date.now() - atMs) / 1000);
    this.#add("", { outcome: "waiting", spans: found.length, before_it: this.#ahead, age_s });
  }

  #add(what: string, more: ReportedOutcome): void {
    const key = `${more.outcome} ${what}`;
    const spans = (this.#outcomes.get(key)?.spans ?? 0) + more.spans;
    this.#outcomes.set(key, { ...more, spans });
  }
}

const withoutLetter: Omit<ReportedOutcome, "spans"> = {
  outcome: "rejected",
  detail: "its dead letter is gone: sent again, dropped, or not kept",
};

function lettersSpans(traceId: Buffer, batch: Batch | undefined): readonly FoundSpan[] {
  return batch ? spansOf(traceId, batch) : [];
}

/** By span: the step behind which it is missing. */
function stepsThatTook(
  traceId: Buffer,
  batch: Batch,
  steps: readonly Step[],
): ReadonlyMap<string, string> {
  const takenBy = new Map<string, string>();
  let rest = batch;
  let left = spansOf(traceId, batch);
  for (const step of steps) {
    rest = step.apply(rest);
    const after = rest.items > 0 ? spansOf(traceId, rest) : [];
    const still = new Set(after.map(({ spanId }) => spanId));
    for (const { spanId } of left) if (!still.has(spanId)) takenBy.set(spanId, step.name);
    left = after;
  }
  return takenBy;
}

function reported(
  { spanId, name, service }: FoundSpan,
  { position, received, isInLog }: { position: Position; received: string; isInLog: boolean },
): ReportedSpan {
  return { span_id: spanId, name, service, position, received, is_in_log: isInLog };
}

function noFile(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT") return undefined;
  throw error;
}
