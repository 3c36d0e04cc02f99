// The output to Elasticsearch or OpenSearch: log records, spans and metrics become documents, sent by _bulk.
// The answer has a verdict for each; those that shall be tried again go, alone, when the delivery is handed over again.

import type { Position } from "../../log/log.ts";
import type { Signal } from "../../wire/batch.ts";
import type { Delivery, Outcome, Output, OutputContext } from "../output.ts";
import { tlsFilesOf } from "../tls-files.ts";
import { type ItemVerdict, judge, type Retry, type Verdict, wantedOfAnswer } from "./answer.ts";
import { Bulk, Progress, Remaining } from "./bulk.ts";
import { type Answer, Client, type NoAnswer } from "./client.ts";
import { destinationsOf } from "./destinations.ts";
import { documentsOf } from "./documents.ts";
import { addressesOf, type Settings } from "./settings.ts";
import { settleStored } from "./stored.ts";
import { installTemplate, templatesOf } from "./template.ts";

export async function open(settings: Settings, context: OutputContext): Promise<Output> {
  return new Elasticsearch(settings, context);
}

/** Larger ones gain nothing and keep a thread of the server for long. */
const largestRequestBytes = 8 * 1024 * 1024;
const smallestRequestBytes = 64 * 1024;

class Elasticsearch implements Output {
  readonly wants: readonly Signal[];
  readonly maxItems = 2500;
  readonly maxBytes = 5 * 1024 * 1024;
  readonly maxInFlight: number;
  readonly #settings: Settings;
  readonly #client: Client;
  readonly #mayKeepTwice: boolean;
  readonly #context: OutputContext;
  /** What is known of deliveries that will be handed over again. */
  readonly #progress = new WeakMap<Delivery, Progress>();
  /** Those that are not in use, for their memory. */
  readonly #spare: Record<Signal, Bulk[]> = { traces: [], metrics: [], logs: [] };
  /** What came of installing the templates, kept while it is under way and once it is done. */
  #installing: Promise<Retry | undefined> | undefined;
  readonly #openedAtMs = Date.now();
  /** Of the first delivery since the start. */
  #firstPosition: Position | undefined;
  /** A request is sent when it has this size: less than one that was refused as too large. */
  #limitBytes = largestRequestBytes;
  /** Smaller than that for a while after a request that got no proper answer. */
  #requestBytes = largestRequestBytes;

  constructor(settings: Settings, context: OutputContext) {
    this.#settings = settings;
    const [url = ""] = addressesOf(settings);
    this.#client = new Client(settings, tlsFilesOf({ ...settings, url }, context));
    this.wants = settings.signals;
    this.maxInFlight = settings.max_in_flight;
    this.#mayKeepTwice = destinationsOf(settings, "logs").mayKeepTwice;
    this.#context = context;
  }

  async deliver(delivery: Delivery, signal: AbortSignal): Promise<Outcome> {
    const progress = this.#progress.get(delivery) ?? new Progress(delivery);
    this.#progress.set(delivery, progress);
    this.#doubt(delivery, progress);
    let outcome = await this.#attempt(delivery, progress, signal);
    // Where one node does not answer, the next one is asked at once.
    for (let left = this.#client.nodes - 1; left > 0; left--) {
      if (!isOfNode(outcome) || signal.aborted) return outcome;
      outcome = await this.#attempt(delivery, progress, signal);
    }
    return outcome;
  }

  async #attempt(delivery: Delivery, progress: Progress, signal: AbortSignal): Promise<Outcome> {
    const notReady = await this.#becomeReady(signal);
    if (notReady) return notReady;
    const spare = this.#spare[delivery.signal];
    const bulk = spare.pop() ?? this.#newBulk(delivery.signal);
    try {
      if (progress.isUncertain) {
        const retry = await settleStored(delivery, progress, {
          client: this.#client,
          bulk,
          signal,
        });
        if (retry) return retry;
        progress.isUncertain = false;
      }
      const remaining = new Remaining(delivery, progress, bulk.documents);
      while (bulk.load(remaining, this.#requestBytes)) {
        const retry = await this.#send({ bulk, from: 0, to: bulk.records, progress }, signal);
        if (retry) return retry;
      }
    } finally {
      bulk.clear();
      spare.push(bulk);
    }
    return progress.outcome();
  }

  #newBulk(signal: Signal): Bulk {
    return new Bulk(documentsOf(signal, this.#settings, this.#context.logId));
  }

  /** What has not been installed is tried again by the next delivery. */
  async #becomeReady(signal: AbortSignal): Promise<Retry | undefined> {
    let isDone = false;
    try {
      const retry = await (this.#installing ??= this.#install(signal));
      isDone = retry === undefined;
      return retry;
    } finally {
      if (!isDone) this.#installing = undefined;
    }
  }

  async #install(signal: AbortSignal): Promise<Retry | undefined> {
    const refused = (detail: string): void =>
      this.#context.incidents.templateNotInstalled(this.#context.name, detail);
    for (const kind of templatesOf(this.#settings)) {
      const retry = await installTemplate(this.#client, this.#settings, { kind, signal, refused });
      if (retry) return retry;
    }
    return undefined;
  }

  /**
   * What was on its way when the collector was killed comes again after its start: so many slices at most as
   * may be, each of as many batches at most as it may have items. So do dead letters, whose log and time
   * are another.
   */
  #doubt({ entries: [first] }: Delivery, progress: Progress): void {
    if (!first || !this.#mayKeepTwice) return;
    if (progress.isBegun) return;
    progress.isBegun = true;
    this.#firstPosition ??= first.position;
    const isNear = first.position < this.#firstPosition + this.maxItems * this.maxInFlight;
    const isOlder = first.atMs < this.#openedAtMs;
    progress.isUncertain = first.origin !== undefined || (isNear && isOlder);
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  /** Settles what it can; what it returns is why the rest must wait. */
  async #send(part: Part, signal: AbortSignal): Promise<Retry | undefined> {
    const { bulk, from, to } = part;
    const body = bulk.body(from, to);
    const path = `_bulk?filter_path=${wantedOfAnswer}`;
    const request = { path, body, contentType: "application/x-ndjson" };
    const answer = await this.#client.request({ method: "POST", ...request }, signal);
    const verdict = judge(answer, to - from);
    if (isUncertain(answer, verdict)) part.progress.isUncertain = this.#mayKeepTwice;
    this.#learn(verdict, body.length);
    if (verdict.kind === "retry") return verdict;
    if (verdict.kind === "stored") return settleAll(part);
    if (verdict.kind === "items") return settle(part, verdict.items);
    if (to - from > 1) return this.#sendHalves(part, signal);
    return settle(part, [{ ...verdict, kind: "rejected" }]);
  }

  async #sendHalves(part: Part, signal: AbortSignal): Promise<Retry | undefined> {
    const middle = Math.ceil((part.from + part.to) / 2);
    const retry = await this.#send({ ...part, to: middle }, signal);
    return retry ?? this.#send({ ...part, from: middle }, signal);
  }

  /** What is too large for the server, or for the time it has, must not come again as it was. */
  #learn(verdict: Verdict, bytes: number): void {
    const smaller = Math.max(smallestRequestBytes, bytes / 2);
    if (verdict.kind === "items" || verdict.kind === "stored") {
      this.#requestBytes = Math.min(this.#limitBytes, this.#requestBytes * 2);
    } else if (verdict.reason === "too_large") {
      this.#limitBytes = Math.min(this.#limitBytes, smaller);
      this.#requestBytes = Math.min(this.#requestBytes, smaller);
    } else if (["timeout", "unreachable", "bad_answer"].includes(verdict.reason)) {
      this.#requestBytes = Math.min(this.#requestBytes, smaller);
    }
  }
}

function isOfNode(outcome: Outcome): boolean {
  return outcome.kind === "retry" && ["unreachable", "timeout"].includes(outcome.reason);
}

/** Whether records may be stored without our knowing; who says 429 has not looked at the request. */
function isUncertain(answer: Answer | NoAnswer, verdict: Verdict): boolean {
  if (verdict.kind === "retry") return answer.kind === "none" || answer.status !== 429;
  return verdict.kind === "items" && verdict.items.some(isUnclear);
}

/** A shard that is not there says 503 as well, whether or not another has taken the record. */
function isUnclear(item: ItemVerdict): boolean {
  return item.kind === "retry" && !item.detail.startsWith("429 ");
}

/** Records `from` … `to` − 1 of a request. */
interface Part {
  readonly bulk: Bulk;
  readonly from: number;
  readonly to: number;
  readonly progress: Progress;
}

function settleAll({ bulk, from, to, progress }: Part): undefined {
  for (let record = from; record < to; record++) progress.settle(bulk.number(record));
}

/** The first of the reasons to wait, if there is one, speaks for all. */
function settle(
  { bulk, from, progress }: Part,
  verdicts: readonly ItemVerdict[],
): Retry | undefined {
  let retry: Retry | undefined;
  for (const [index, verdict] of verdicts.entries()) {
    const record = from + index;
    if (verdict.kind === "stored") progress.settle(bulk.number(record));
    else if (verdict.kind === "rejected") progress.reject(bulk.place(record), verdict);
    else retry ??= verdict;
  }
  return retry;
}
