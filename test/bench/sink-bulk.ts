// As an Elasticsearch that takes everything. Its requests have several times the bytes of OTLP, so it reads
// them as they come and keeps none of them.

import { createServer, type Server } from "node:net";
import { LentReads } from "../../collector/sockets/lent-reads.ts";
import { behindNumber, visitDocuments } from "./spans.ts";

export function bulkServer(tick: (number: number) => void): Server {
  const reads = new LentReads();
  return createServer({ noDelay: true }, (given) => {
    const socket = reads.take(given);
    const exchange = new Exchange(tick);
    socket.on("data", (bytes: Buffer) => {
      const answer = exchange.take(bytes);
      if (answer !== undefined) socket.write(answer);
    });
    socket.on("error", () => {}); // the collector may end at any time
  });
}

/** One request after the other. */
class Exchange {
  readonly #tick: (number: number) => void;
  /** What may be the beginning of a number, and what came behind it. */
  readonly #window = Buffer.alloc((64 << 10) + 64);
  #kept = 0;
  #head = "";
  #left = 0;
  #items = 0;

  constructor(tick: (number: number) => void) {
    this.#tick = tick;
  }

  readonly #visit = (number: number): void => {
    this.#tick(number);
    this.#items++;
  };

  /** Gives the answer once all of a request has come. */
  take(bytes: Buffer): string | undefined {
    let body = bytes;
    if (this.#left === 0) {
      const before = this.#head.length;
      this.#head += bytes.toString("latin1", 0, 4096);
      const end = this.#head.indexOf("\r\n\r\n") + 4;
      if (end === 3) return undefined;
      this.#left = Number(/^content-length: (\d+)\r$/im.exec(this.#head)?.[1] ?? 0);
      body = bytes.subarray(end - before);
    }
    this.#count(body);
    this.#left -= body.length;
    if (this.#left > 0) return undefined;
    const isBulk = this.#head.startsWith("POST /_bulk");
    const answer = isBulk ? answerTo(this.#items) : "{}";
    this.#items = this.#kept = 0;
    this.#head = "";
    return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${answer.length}\r\n\r\n${answer}`;
  }

  #count(bytes: Buffer): void {
    const window = this.#window;
    const end = this.#kept + bytes.copy(window, this.#kept);
    const read = visitDocuments(window.subarray(0, end), this.#visit);
    const from = Math.max(read, end - behindNumber + 1);
    window.copyWithin(0, from, end);
    this.#kept = end - from;
  }
}

const answers = new Map<number, string>();

function answerTo(items: number): string {
  const known = answers.get(items);
  if (known !== undefined) return known;
  const answer = `{"items":[${Array.from({ length: items }, () => created).join()}]}`;
  if (answers.size < 1000) answers.set(items, answer);
  return answer;
}

const created = '{"create":{"status":201}}';
