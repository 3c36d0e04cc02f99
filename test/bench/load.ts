// The sender as a process of its own: keeps a fixed number of requests in flight until it has sent what
// it was asked for, and sends again what was refused for now. It shares the machine with the collector
// that is measured, so it does as little as it can: each lane writes one prepared request again and
// again, with other numbers in it, over a client that knows no more of HTTP than is needed here.
// Started by measure.ts.

import { setTimeout as sleep } from "node:timers/promises";
import type { Counted, Protocol } from "./cases.ts";
import { answer } from "./child.ts";
import { grpcClients } from "./load-grpc.ts";
import { httpClients } from "./load-http.ts";
import { numberOffsets, unnumbered } from "./spans.ts";

export interface LoadOrder {
  readonly protocol: Protocol;
  readonly signal: Counted;
  /** Of the collector: http://host:port or grpc://host:port. */
  readonly url: string;
  readonly spansPerRequest: number;
  readonly inFlight: number;
  /** They are used by turns. */
  readonly connections: number;
  /** The number of the first span. */
  readonly first: number;
  readonly spans: number;
}

export interface LoadDone {
  /** Spans that the collector acknowledged. */
  readonly sent: number;
  /** Requests that it asked to have again. */
  readonly refusals: number;
}

/** A connection to the collector. */
export interface Client {
  /** False if it was refused for now. */
  send(request: Buffer): Promise<boolean>;
  close(): void;
}

/** How a protocol packs a request. */
export interface Clients {
  connect(): Promise<Client>;
  pack(request: Buffer): Buffer;
}

const pauseMs = 50;

answer(async (order: LoadOrder): Promise<LoadDone> => {
  const { signal, spansPerRequest, inFlight, connections, first, spans } = order;
  const makers = order.protocol === "http" ? httpClients(order) : grpcClients(order);
  const connecting = Array.from({ length: connections }, () => makers.connect());
  const clients = await Promise.all(connecting);
  const behind = first + spans;
  let next = first;
  let turn = 0;
  let sent = 0;
  let refusals = 0;
  const lane = async (_: unknown, index: number): Promise<void> => {
    const request = makers.pack(unnumbered(spansPerRequest, index + 1, signal));
    const offsets = numberOffsets(request, signal);
    if (offsets.length !== spansPerRequest) throw new Error("a request without its numbers");
    while (next < behind) {
      for (const offset of offsets) request.writeUInt32BE(next++, offset);
      while (!(await clients[turn++ % connections]!.send(request))) {
        refusals++;
        await sleep(pauseMs);
      }
      sent += spansPerRequest;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  for (const client of clients) client.close();
  return { sent, refusals };
});
