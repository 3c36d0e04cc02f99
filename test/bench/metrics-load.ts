// The senders of metrics as a process of their own, and somebody who asks how long an answer takes.
// Started by metrics-measure.ts.

import { setTimeout as sleep } from "node:timers/promises";
import { answer } from "./child.ts";
import type { Client } from "./load.ts";
import { httpClients } from "./load-http.ts";
import type { MetricsCase } from "./metrics-cases.ts";
import { seriesPerSender } from "./metrics-cases.ts";
import { SenderRequest } from "./metrics-requests.ts";

export type MetricsOrder =
  | {
      readonly kind: "send";
      /** Of the collector. */
      readonly url: string;
      readonly made: MetricsCase["made"];
      readonly senders: number;
      /** Numbers of the first round and of the one behind the last. */
      readonly from: number;
      readonly behind: number;
    }
  /** Sends next to nothing for so long, one request after the other. */
  | { readonly kind: "probe"; readonly url: string; readonly ms: number };

export interface MetricsDone {
  /** Points that were acknowledged. */
  readonly sent: number;
  readonly refusals: number;
}

export interface Probed {
  readonly longestMs: number;
  /** The longest of a quarter of a second, of which this is the median: what the machine does else is not in it. */
  readonly usuallyLongestMs: number;
}

const windowMs = 250;

const pauseMs = 50;
const connections = 10;

answer((order: MetricsOrder): Promise<MetricsDone | Probed> => {
  return order.kind === "send" ? send(order) : probe(order);
});

const requests: SenderRequest[] = [];

/** What one sender sends arrives in order: no two requests of it are under way. */
async function send(order: MetricsOrder & { kind: "send" }): Promise<MetricsDone> {
  const { url, made, senders, from, behind } = order;
  while (requests.length < senders) requests.push(new SenderRequest(requests.length, made));
  const makers = httpClients({ url, signal: "metrics" });
  let sent = 0;
  let refusals = 0;
  const lane = async (_: unknown, first: number): Promise<void> => {
    const client = await makers.connect();
    for (let round = from; round < behind; round++) {
      for (let sender = first; sender < senders; sender += connections) {
        const request = requests[sender]!;
        request.fill(round);
        refusals += await insist(client, makers.pack(request.bytes));
        sent += seriesPerSender;
      }
    }
    client.close();
  };
  await Promise.all(Array.from({ length: connections }, lane));
  return { sent, refusals };
}

async function insist(client: Client, request: Buffer): Promise<number> {
  let refusals = 0;
  while (!(await client.send(request))) {
    refusals++;
    await sleep(pauseMs);
  }
  return refusals;
}

/** Requests without a point: what is waited for is nobody's disk. */
async function probe({ url, ms }: MetricsOrder & { kind: "probe" }): Promise<Probed> {
  const makers = httpClients({ url, signal: "metrics" });
  const client = await makers.connect();
  const request = makers.pack(Buffer.alloc(0));
  const begin = performance.now();
  const longest: number[] = [];
  for (let now = begin; now < begin + ms; now = performance.now()) {
    await insist(client, request);
    const window = Math.floor((now - begin) / windowMs);
    longest[window] = Math.max(longest[window] ?? 0, performance.now() - now);
    await sleep(1);
  }
  client.close();
  const sorted = Object.values(longest).toSorted((one, other) => one - other);
  const [usuallyLongestMs = 0, longestMs = 0] = [sorted[sorted.length >> 1], sorted.at(-1)];
  return { longestMs, usuallyLongestMs };
}
