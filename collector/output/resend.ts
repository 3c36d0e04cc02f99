// Sends the dead letters of an output again, beside the feed that goes on delivering. Those that are
// taken leave the file; those that are refused again stay, with the new reason.
//
// What must stay true:
// - A letter leaves the file only after the destination has taken it, and all at once at the end: a
//   crash in between sends again what had been taken, and loses nothing.
// - Document ids are those that the records had when the log handed them out, so that a destination
//   which goes by them stores nothing twice, and nothing over another record.
// - The books are not touched: in them the items were rejected, and stay so. What is taken here is
//   counted apart, as sonde_output_resent_items_total.

import { setTimeout as sleep } from "node:timers/promises";
import type { Incidents } from "../telemetry/incidents.ts";
import { type Batch, noItems, type PerSignal } from "../wire/batch.ts";
import { extractLeaf } from "../wire/extract.ts";
import { batchIn, type DeadLine, idOf } from "./dead-letter-file.ts";
import { type DeadLetter, encodeLetter } from "./dead-letter.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { Delivery, Outcome, Output, Reason, RejectedItem } from "./output.ts";

export interface ResenderOptions {
  readonly name: string;
  readonly output: Output;
  readonly deadLetters: DeadLetters;
  readonly incidents: Incidents;
  /** Before the second and third try of a letter. */
  readonly waitMs?: readonly [number, number];
}

/** Numbers of letters, except for items. */
export interface Resent {
  /** Taken by the destination, and gone from the file. */
  readonly accepted: number;
  readonly acceptedItems: number;
  /** Refused again, and kept. */
  readonly refused: number;
  /** Kept without being sent: not asked for, not wanted by the output any more, or not come to. */
  readonly left: number;
  /** Kept lines that are no letters: torn, damaged, or of another version. */
  readonly unreadable: number;
  /** Why it ended before all had been sent. */
  readonly stopped?: { readonly reason: Reason | "stopping"; readonly detail: string };
}

export interface ResendOptions {
  /** All letters if it is left out. */
  readonly ids?: ReadonlySet<string> | undefined;
  /** No further letter is sent once it is aborted. */
  readonly signal: AbortSignal;
}

const usualWaitMs = [500, 2_000] as const;
const longestWaitMs = 5_000;

export class Resender {
  readonly name: string;
  readonly deadLetters: DeadLetters;
  /** What was taken since the start. */
  readonly resent: PerSignal = noItems();
  readonly #options: ResenderOptions;
  readonly #stop = new AbortController();
  readonly #cut = new AbortController();
  #running: Promise<Resent> | undefined;

  constructor(options: ResenderOptions) {
    this.name = options.name;
    this.deadLetters = options.deadLetters;
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Must not be called while it is running. */
  async resend({ ids, signal }: ResendOptions): Promise<Resent> {
    if (this.#running) throw new Error(`dead letters of ${this.name} are being sent already`);
    const run = new Run(this.#options, {
      ids,
      stop: AbortSignal.any([signal, this.#stop.signal]),
      cut: this.#cut.signal,
      resent: this.resent,
    });
    try {
      this.#running = run.run();
      return await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  /** To be called before the output is closed; nothing is sent after it. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#stop.abort();
    const cut = (): void => this.#cut.abort();
    if (deadline.aborted) cut();
    deadline.addEventListener("abort", cut, { once: true });
    await this.#running?.catch(() => {}); // whoever asked for it is told
    deadline.removeEventListener("abort", cut);
  }
}

interface RunOptions {
  readonly ids: ReadonlySet<string> | undefined;
  /** Ends it before the next delivery. */
  readonly stop: AbortSignal;
  /** Ends the delivery under way. */
  readonly cut: AbortSignal;
  readonly resent: PerSignal;
}

interface Sendable {
  readonly letter: DeadLetter;
  readonly line: Uint8Array;
  readonly batch: Batch;
}

type Keep = (line: Uint8Array) => Promise<void>;

class Run {
  readonly #options: ResenderOptions;
  readonly #run: RunOptions;
  readonly #result = { accepted: 0, acceptedItems: 0, refused: 0, left: 0, unreadable: 0 };
  #stopped: Resent["stopped"];
  #group: Sendable[] = [];
  #groupBytes = 0;
  #groupItems = 0;
  /**
   * How many letters go into one delivery. They were refused once, and most destinations do not say
   * which part of a delivery they refuse: so it begins with one, and grows as long as all are taken.
   */
  #groupSize = 1;

  constructor(options: ResenderOptions, run: RunOptions) {
    this.#options = options;
    this.#run = run;
  }

  async run(): Promise<Resent> {
    await this.#options.deadLetters.revise(async (lines, keep) => {
      for await (const line of lines) {
        const sendable = this.#sendable(line);
        if (!sendable) await keep(line.bytes);
        else if (!this.#stopped) await this.#add(sendable, keep);
        else await this.#leave([sendable], keep);
        if (this.#run.stop.aborted) break; // the rest stays as it is, without being counted
      }
      await this.#flush(keep);
    });
    return { ...this.#result, ...(this.#stopped ? { stopped: this.#stopped } : {}) };
  }

  /** Undefined for a line that is only kept. */
  #sendable({ bytes: line, letter }: DeadLine): Sendable | undefined {
    if (!letter) {
      this.#result.unreadable++;
      return undefined;
    }
    const { ids } = this.#run;
    const isMeant = !ids || ids.has(idOf(letter));
    if (!isMeant || !this.#options.output.wants.includes(letter.signal)) {
      this.#result.left++;
      return undefined;
    }
    const batch = batchIn(letter);
    if (!batch) this.#result.unreadable++;
    return batch && { letter, line, batch };
  }

  async #add(sendable: Sendable, keep: Keep): Promise<void> {
    const { maxBytes, maxItems } = this.#options.output;
    const { signal, bytes, items } = sendable.batch;
    const isFull =
      this.#groupItems + items > maxItems || this.#groupBytes + bytes.length > maxBytes;
    const isOther = this.#group[0] && this.#group[0].batch.signal !== signal;
    if (isFull || isOther) await this.#flush(keep);
    this.#group.push(sendable);
    this.#groupItems += items;
    this.#groupBytes += bytes.length;
    if (this.#group.length >= this.#groupSize) await this.#flush(keep);
  }

  async #flush(keep: Keep): Promise<void> {
    const group = this.#group;
    this.#group = [];
    this.#groupItems = this.#groupBytes = 0;
    if (group.length > 0) await this.#send(group, keep);
  }

  async #send(group: readonly Sendable[], keep: Keep): Promise<void> {
    const outcome = this.#stopped ? undefined : await this.#deliver(deliveryOf(group));
    if (!outcome || outcome.kind === "retry") {
      await this.#leave(group, keep);
    } else if (outcome.kind === "delivered") {
      this.#groupSize = Math.min(this.#groupSize * 4, this.#options.output.maxItems);
      for (const sendable of group) this.#accept(sendable, sendable.letter.items);
    } else if (outcome.which) {
      await this.#sort(group, outcome.which, keep);
    } else if (group.length === 1) {
      await this.#refuse(group[0]!, outcome, keep);
    } else {
      // Which of them it was shows when each goes alone; those that were taken go twice.
      this.#groupSize = 1;
      for (const sendable of group) await this.#send([sendable], keep);
    }
  }

  /** Tries up to three times; undefined if that was of no use, or it shall stop. */
  async #deliver(delivery: Delivery): Promise<Outcome | undefined> {
    const { stop } = this.#run;
    const waitMs = this.#options.waitMs ?? usualWaitMs;
    for (let attempt = 0; !stop.aborted; attempt++) {
      const outcome = await this.#attempt(delivery);
      if (outcome.kind !== "retry") return outcome;
      const wait = waitMs[attempt];
      if (wait === undefined || (outcome.afterMs ?? 0) > longestWaitMs) {
        this.#stopped = { reason: outcome.reason, detail: outcome.detail };
        return undefined;
      }
      await sleep(Math.max(wait, outcome.afterMs ?? 0), undefined, { signal: stop }).catch(
        () => {},
      );
    }
    this.#stopped = { reason: "stopping", detail: "it was told to stop" };
    return undefined;
  }

  async #attempt(delivery: Delivery): Promise<Outcome> {
    const { name, output, incidents } = this.#options;
    try {
      return await output.deliver(delivery, this.#run.cut);
    } catch (error) {
      incidents.outputFailed(name, error);
      return { kind: "retry", reason: "server_error", detail: String(error) };
    }
  }

  #accept({ letter }: Sendable, items: number): void {
    this.#result.accepted++;
    this.#count(letter, items);
  }

  #count({ signal }: DeadLetter, items: number): void {
    this.#result.acceptedItems += items;
    this.#run.resent[signal] += items;
  }

  async #leave(group: readonly Sendable[], keep: Keep): Promise<void> {
    this.#result.left += group.length;
    for (const { line } of group) await keep(line);
  }

  /** The destination has said which leaves it refuses; `position` is the letter's place in the group. */
  async #sort(
    group: readonly Sendable[],
    which: readonly RejectedItem[],
    keep: Keep,
  ): Promise<void> {
    const refusedAt = Map.groupBy(which, ({ position }) => position);
    for (const [place, sendable] of group.entries()) {
      const refused = refusedAt.get(place);
      if (!refused) this.#accept(sendable, sendable.letter.items);
      else await this.#keepRefused(sendable, refused, keep);
    }
  }

  /** Of a whole batch only the leaves that were refused are kept, each in a letter of its own. */
  async #keepRefused(
    { letter, batch }: Sendable,
    refused: readonly RejectedItem[],
    keep: Keep,
  ): Promise<void> {
    this.#result.refused++;
    let items = 0;
    const { among: _, ...rest } = letter; // which it is, is known now
    for (const item of refused) {
      items += item.items ?? 1;
      const leaf = extractLeaf(batch.bytes, item.index);
      const kept: DeadLetter = {
        ...again(rest, item),
        index: (letter.index ?? 0) + item.index,
        items: item.items ?? 1,
        request: leaf ? Buffer.from(leaf).toString("base64") : letter.request,
      };
      await keep(Buffer.from(encodeLetter(kept)));
    }
    this.#count(letter, Math.max(0, letter.items - items));
  }

  async #refuse(
    { letter, batch }: Sendable,
    refused: Extract<Outcome, { kind: "rejected" }>,
    keep: Keep,
  ): Promise<void> {
    this.#result.refused++;
    const items = Math.min(letter.items, refused.items);
    this.#count(letter, letter.items - items);
    const isPart = refused.items < batch.items;
    const kept = { ...again(letter, refused), items, ...(isPart ? { among: batch.items } : {}) };
    await keep(Buffer.from(encodeLetter(kept)));
  }
}

function again(
  letter: DeadLetter,
  { reason, detail }: Pick<RejectedItem, "reason" | "detail">,
): DeadLetter {
  return { ...letter, reason, detail, attempts: (letter.attempts ?? 1) + 1 };
}

/** Positions say the place in the group, so that an answer can be told apart for letters of one batch. */
function deliveryOf(group: readonly Sendable[]): Delivery {
  let items = 0;
  let bytes = 0;
  const entries = group.map(({ letter, batch }, place) => {
    items += batch.items;
    bytes += batch.bytes.length;
    const { at, log: logId = "unknown", position, index = 0 } = letter;
    return { position: place, batch, atMs: Date.parse(at), origin: { logId, position, index } };
  });
  return { signal: group[0]!.batch.signal, entries, items, bytes };
}
