// The output that writes to a Prometheus, or to what stores its series: of each point that is folded in,
// the samples of its series as they are after it, in the order of the log.
//
// A delivery is folded in once; what is to be sent of it is kept until it is delivered, since a sum of
// differences would be another one the next time. A server that says 400 has stored the others.

import { compress } from "snappyjs";
import { type Answer, HttpClient } from "../http-client.ts";
import { messageOf, outcomeOfRefusal, reject, retry } from "../http-outcome.ts";
import type { Rejected } from "../dead-letter.ts";
import type { Delivery, Outcome, Output, OutputContext, RejectedItem } from "../output.ts";
import { tlsFilesOf } from "../tls-files.ts";
import { Metrics } from "./metrics.ts";
import type { Place } from "./rejections.ts";
import type { RemoteWriteSettings } from "./remote-write-settings.ts";
import { keepOnDisk, sweepNowAndThen } from "./upkeep.ts";
import { type Body, Samples } from "./write-request.ts";

const longestAnswerBytes = 64 << 10;
/** Behind the last point of a series its end stands at once: points that come late must not be out of order. */
const oneMs = 1e6;

export async function open(settings: RemoteWriteSettings, context: OutputContext): Promise<Output> {
  const { incidents, name } = context;
  const samples = new Samples(settings);
  let isStarted = false; // what is folded in again at the start has been sent
  const metrics = new Metrics(
    { ...settings, created_series: false, aliases: [], aliased_metrics: [] },
    {
      leftOut: (metric, { detail }) => incidents.metricLeftOut(name, metric, detail),
      taken: (stream, series, taken) => isStarted && samples.add(stream, series, taken),
      ended: (stream, series, taken) => isStarted && samples.end(stream, series, taken),
      expired: (stream, series) => samples.end(stream, series, { time: series.time + oneMs }),
    },
  );
  await keepOnDisk(metrics, context);
  isStarted = true;
  const sender = new Sender(settings, context);
  const pending = new WeakMap<Delivery, Pending>();
  const stop = new AbortController();
  let isAway = false;
  /** What has expired is told once, by itself where nothing else is to be sent. */
  const sweep = async (): Promise<void> => {
    const bodies = await metrics.expire(() => (isAway ? [] : samples.bodies()));
    await sender.send({ bodies, refused: new Map() }, stop.signal);
  };
  const stopSweeping = sweepNowAndThen(sweep, context);
  return {
    wants: ["metrics"],
    maxItems: 10_000,
    maxBytes: 4 * 1024 * 1024,
    async deliver(delivery, abort) {
      let left = pending.get(delivery);
      if (!left) {
        const { outcome, made } = await metrics.fold(delivery, () => samples.bodies());
        left = { outcome, bodies: made, refused: new Map() };
        pending.set(delivery, left);
      }
      const outcome = await sender.send(left, abort);
      isAway = outcome !== undefined;
      if (isAway) metrics.hold();
      else metrics.goOn();
      return outcome ?? outcomeOf(left, delivery.items);
    },
    async close() {
      stopSweeping();
      stop.abort();
      await metrics.close();
      sender.close();
    },
  };
}

interface Pending {
  /** Of folding. */
  readonly outcome: Outcome;
  /** What has not been taken yet. */
  readonly bodies: Body[];
  /** The points of which a sample was refused, and the first reason. */
  readonly refused: Map<Place, Rejected>;
}

function outcomeOf({ outcome, refused }: Pending, items: number): Outcome {
  if (refused.size === 0) return outcome;
  const [{ reason, detail }] = [...refused.values()] as [Rejected]; // there is one
  const before = outcome.kind === "rejected" ? outcome : { items: 0, which: [] };
  // Of a request that it has taken in part nobody knows which these are.
  const isKnown = [...refused.values()].every((one) => one.reason !== "partial_success");
  if (!isKnown || !before.which) {
    return reject("partial_success", detail, Math.min(items, refused.size + before.items));
  }
  const which = [...before.which, ...byMetric(refused)];
  return { kind: "rejected", reason, detail, items: refused.size + before.items, which };
}

/** Of the points of one metric the first tells the reason. */
function byMetric(refused: Pending["refused"]): RejectedItem[] {
  const found = new Map<string, RejectedItem & { items: number }>();
  for (const [{ position, index }, { reason, detail }] of refused) {
    const key = `${position}/${index}`;
    const known = found.get(key);
    if (known) known.items++;
    else found.set(key, { position, index, items: 1, reason, detail });
  }
  return [...found.values()];
}

class Sender {
  readonly #client: HttpClient;
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #isSecond: boolean;
  /**
   * What a crash kept from being committed comes again, and what lies before its last time is out of order
   * to a server that has all of it. So until something is taken, that is no loss.
   */
  #mayRepeat = true;

  constructor(settings: RemoteWriteSettings, context: OutputContext) {
    const { url, version, headers } = settings;
    this.#client = new HttpClient({
      isTls: url.startsWith("https:"),
      maxConnections: 1,
      timeoutMs: settings.timeout_ms,
      longestAnswerBytes,
      tls: tlsFilesOf(settings, context),
    });
    this.#url = new URL(url);
    this.#isSecond = version === "2.0";
    const proto = this.#isSecond ? ";proto=io.prometheus.write.v2.Request" : "";
    this.#headers = {
      ...headers,
      "content-type": `application/x-protobuf${proto}`,
      "content-encoding": "snappy",
      "x-prometheus-remote-write-version": this.#isSecond ? "2.0.0" : "0.1.0",
    };
  }

  /** One after the other; undefined once there is a final answer to each. */
  async send(left: Omit<Pending, "outcome">, abort: AbortSignal): Promise<Outcome | undefined> {
    for (let body = left.bodies[0]; body; body = left.bodies[0]) {
      const outcome = await this.#sendOne(body, abort);
      if (outcome.kind === "retry") return outcome;
      const halves =
        outcome.kind === "rejected" && outcome.reason === "too_large" ? body.halves() : [];
      left.bodies.splice(0, 1, ...halves);
      if (outcome.kind === "delivered" || halves.length > 0) continue;
      for (const point of body.points) {
        if (!left.refused.has(point)) left.refused.set(point, outcome);
      }
    }
    return undefined;
  }

  async #sendOne(body: Body, abort: AbortSignal): Promise<Outcome> {
    const request = {
      method: "POST",
      url: this.#url,
      headers: this.#headers,
      body: [compress(body.bytes())],
    } as const;
    const answer = await this.#client.send(request, abort);
    if (answer.kind === "none") return retry(answer.reason, answer.detail);
    return this.#outcomeOf(answer, body.points.size);
  }

  #outcomeOf(answer: Answer, items: number): Outcome {
    const { status, headers, body } = answer;
    if (status === 415 || (this.#isSecond && isSilent(status, headers))) {
      const detail = `HTTP ${status}: the server does not know this version of remote write`;
      return retry("bad_answer", `${detail}; set version`);
    }
    if (status >= 200 && status < 300) {
      this.#mayRepeat = false;
      return { kind: "delivered" };
    }
    if (status !== 400) return outcomeOfRefusal(answer, items);
    const detail = `HTTP 400 ${messageOf(body)}`.trim();
    if (this.#mayRepeat && isAboutRepetition.test(detail)) return { kind: "delivered" };
    return reject("partial_success", detail, items);
  }

  close(): void {
    this.#client.close();
  }
}

const isAboutRepetition = /out of order|duplicate sample|out-of-order/i;

/** A server of before version 2.0 finds nothing in the request, and thanks for it. */
function isSilent(status: number, headers: Answer["headers"]): boolean {
  const isTaken = status >= 200 && status < 300;
  return isTaken && headers["x-prometheus-remote-write-samples-written"] === undefined;
}
