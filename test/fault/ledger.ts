// What was sent, what was acknowledged, and what arrived where: the judge of the crash tests. A
// destination is told apart from itself by the life of the collector that sends to it (the process
// between two kills), so that what came twice can be held against what was under way when it was killed.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { gunzipSync } from "node:zlib";
import { listenLocally } from "../support/listen.ts";
import { type MarkedRequest, namesIn } from "./marked-requests.ts";

/**
 * How many requests an output may have had answered without having committed, as long as it can commit: a
 * slice is up to one delivery for each signal, and four slices may be on their way (`max_in_flight`).
 */
export const uncommittedRequests = 12;

export type Behaviour = "takes" | "refuses";

export interface Verdict {
  readonly acknowledged: number;
  /** Acknowledged, and absent at some destination. */
  readonly lost: readonly string[];
  /** Arrived, and never sent like that. */
  readonly corrupted: number;
  /** Arrivals of what had arrived before. */
  readonly duplicated: number;
  /** Of those: not explained by what was under way when a life ended. */
  readonly unexplained: number;
  /** Arrived although the sender was not answered: killed between the write and the answer. */
  readonly unanswered: number;
}

export class Ledger {
  readonly sent = new Map<string, MarkedRequest["items"]>();
  readonly acknowledged = new Set<string>();
  readonly #destinations: readonly Destination[];

  constructor(destinations: readonly Destination[]) {
    this.#destinations = destinations;
  }

  verdict(): Verdict {
    const lost = new Set<string>();
    const unanswered = new Set<string>();
    const sum = { corrupted: 0, duplicated: 0, unexplained: 0 };
    for (const destination of this.#destinations) {
      for (const name of this.acknowledged) if (!destination.has(name)) lost.add(name);
      for (const name of destination.names) {
        if (!this.sent.has(name)) sum.corrupted++;
        else if (!this.acknowledged.has(name)) unanswered.add(name);
      }
      sum.duplicated += destination.duplicated;
      sum.unexplained += destination.unexplained;
    }
    const acknowledged = this.acknowledged.size;
    return { acknowledged, lost: [...lost], ...sum, unanswered: unanswered.size };
  }

  /** Items of all that a destination has, each counted once. */
  itemsAt(destination: Destination): number {
    let items = 0;
    for (const name of destination.names) items += this.sent.get(name) ?? 0;
    return items;
  }
}

interface Arrival {
  readonly life: number;
  /** Which of the requests taken in that life. */
  readonly request: number;
}

/** An OTLP/HTTP server; `endpoint(life)` is where the collector of that life sends to. */
export class Destination {
  behaviour: Behaviour = "takes";
  duplicated = 0;
  unexplained = 0;
  /** Of a life, how many of its last requests may come again. */
  uncommitted = uncommittedRequests;
  /** Names of records that it rejects for good. */
  readonly rejects = new Set<string>();
  readonly #arrivals = new Map<string, Arrival>();
  readonly #taken = new Map<number, number>();
  readonly #server = createServer((request, response) => this.#receive(request, response));
  #port = 0;

  static async start(): Promise<Destination> {
    const destination = new Destination();
    destination.#port = await listenLocally(destination.#server);
    return destination;
  }

  endpoint(life: number): string {
    return `http://127.0.0.1:${this.#port}/${life}`;
  }

  get names(): Iterable<string> {
    return this.#arrivals.keys();
  }

  has(name: string): boolean {
    return this.#arrivals.has(name);
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on("error", () => {});
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const isGzip = request.headers["content-encoding"] === "gzip";
      const body = isGzip ? gunzipSync(Buffer.concat(chunks)) : Buffer.concat(chunks);
      const life = Number(request.url?.split("/")[1]);
      const status = this.behaviour === "refuses" ? 503 : this.#take(life, body);
      response.writeHead(status, { "content-type": "application/x-protobuf" }).end();
    });
  }

  #namesIn(body: Buffer): readonly string[] {
    try {
      return namesIn(body);
    } catch (error) {
      return [`unreadable: ${String(error)}`]; // counted as corrupted, since nobody sent it
    }
  }

  /** The status to answer with. */
  #take(life: number, body: Buffer): number {
    const names = this.#namesIn(body);
    if (names.some((name) => this.rejects.has(name))) return 400;
    const request = this.#taken.get(life) ?? 0;
    this.#taken.set(life, request + 1);
    for (const name of names) {
      const before = this.#arrivals.get(name);
      if (before) {
        this.duplicated++;
        const wasUnderWay =
          before.life < life &&
          before.request >= (this.#taken.get(before.life) ?? 0) - this.uncommitted;
        if (!wasUnderWay) this.unexplained++;
      }
      this.#arrivals.set(name, { life, request });
    }
    return 200;
  }
}
