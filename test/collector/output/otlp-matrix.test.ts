// Whatever an OTLP server does: nothing is lost, nothing is delivered twice, no more requests are on
// their way than allowed, and another output of the same log notices nothing. The server misbehaves while
// data comes in, then mends; each case makes sure that its fault was met.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Memory } from "../../../collector/memory/memory.ts";
import { DiskLog } from "../../../collector/log/disk-log.ts";
import type { DeadLetter } from "../../../collector/output/dead-letter.ts";
import { DeadLetters } from "../../../collector/output/dead-letters.ts";
import { Feed } from "../../../collector/output/feed.ts";
import { open } from "../../../collector/output/otlp/otlp.ts";
import { settings } from "../../../collector/output/otlp/settings.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { outputContext } from "../../contract/output.ts";
import { listenLocally } from "../../support/listen.ts";
import { decodeRequest, encodeResponse, sampleBatch } from "../../support/otlp.ts";
import { startSink } from "../../support/sink.ts";
import { spoiled } from "../../support/memory.ts";
import { until } from "../../support/until.ts";

const spanIds = (bytes: Uint8Array): string[] =>
  decodeRequest("traces", bytes).resourceSpans!.flatMap(({ scopeSpans }) =>
    scopeSpans!.flatMap(({ spans }) => spans!.map(({ spanId }) => spanId!)),
  );

/** What it does instead of taking a request; `take` keeps it all the same. */
type Fault = (response: ServerResponse, bytes: Buffer, take: () => void) => void;

class TroubledServer {
  fault: Fault | undefined;
  /** How often the fault was met. */
  faults = 0;
  /** When requests came, in milliseconds. */
  readonly came: number[] = [];
  readonly taken: string[] = [];
  mostAtATime = 0;
  mostSent = 0;
  #atATime = 0;
  #server: Server;
  #port = 0;

  constructor() {
    this.#server = this.#make();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async listen(): Promise<void> {
    this.#server = this.#make();
    this.#port = await listenLocally(this.#server, this.#port);
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #make(): Server {
    return createServer((request, response) => {
      this.came.push(performance.now());
      this.mostAtATime = Math.max(this.mostAtATime, ++this.#atATime);
      const { socket } = request;
      const sentBefore = socket.bytesWritten;
      response.on("close", () => {
        this.#atATime--;
        this.mostSent = Math.max(this.mostSent, socket.bytesWritten - sentBefore);
      });
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("error", () => {});
      request.on("end", () => this.#answer(response, Buffer.concat(chunks)));
    });
  }

  #answer(response: ServerResponse, bytes: Buffer): void {
    const take = (): void => void this.taken.push(...spanIds(bytes));
    if (this.fault) {
      this.faults++;
      this.fault(response, bytes, take);
      return;
    }
    take();
    response.end();
  }
}

const batches = 24;
const itemsEach = 25;
const atATime = 3;

let folder: string;
let log: DiskLog;
let server: TroubledServer;
let memory: Memory;
let feeds: Feed[];
let sent: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sonde-matrix-"));
  const incidents = new Incidents({ write: () => {} });
  memory = spoiled();
  log = await DiskLog.open({ folder: join(folder, "log"), maxBytes: 1 << 30, memory, incidents });
  server = new TroubledServer();
  await server.listen();
  feeds = [];
  sent = [];
});

afterEach(async () => {
  await Promise.all(feeds.map((feed) => feed.stop(AbortSignal.abort())));
  await log.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const lettersPath = (): string => join(folder, "dead", "troubled.jsonl");

/** What takes longer than `timeout_ms` is sent again, so it is long where nothing hangs. */
async function startFeed(name: string, endpoint: string, timeout_ms = 10_000): Promise<Feed> {
  const given = { endpoint, timeout_ms, max_in_flight: atATime, max_request_items: 50 };
  const feed = new Feed({
    name,
    log,
    reader: await log.reader(name),
    output: await open(settings.parse(given), outputContext({ name, memory })),
    steps: [],
    deadLetters: new DeadLetters(join(folder, "dead", `${name}.jsonl`)),
    incidents: new Incidents({ write: () => {} }),
    backoff: { firstMs: 10, mostMs: 40, random: Math.random },
    memory,
  });
  feed.start();
  feeds.push(feed);
  return feed;
}

async function append(): Promise<void> {
  for (let seed = 1; seed <= batches; seed++) {
    const batch = sampleBatch("traces", { items: itemsEach, seed });
    sent.push(...spanIds(batch.bytes));
    await log.append(batch);
  }
}

const isDrained = (feed: Feed): boolean => feed.reader.waiting.batches === 0;

/** Another output of the same log, to a server that is well, has all of it while the fault lasts. */
async function expectOthersUndisturbed(): Promise<void> {
  const sink = await startSink();
  const well = await startFeed("well", sink.url);
  await until("the other output has all", () => isDrained(well));
  const got = sink.requests.flatMap(({ bytes }) => spanIds(bytes));
  expect(got.toSorted()).toEqual(sent.toSorted());
  await sink.close();
}

function expectBalance({ books, reader }: Feed): void {
  const total = books.total();
  expect(total.traces + reader.waiting.items.traces).toBe(log.appended.traces - books.began.traces);
}

function expectBounded(): void {
  expect(server.mostAtATime).toBeLessThanOrEqual(atATime);
  expect(server.mostSent).toBeLessThan(8 << 20); // what fits into the kernel's buffers, not more
}

const status =
  (code: number, headers: Record<string, string> = {}): Fault =>
  (response) =>
    response.writeHead(code, headers).end();

const endless = (response: ServerResponse): void => {
  const more = (): void => {
    if (!response.destroyed) response.write("x".repeat(64 << 10), () => setImmediate(more));
  };
  more();
};

const dripping = (response: ServerResponse): void => {
  const timer = setInterval(() => response.write("x"), 30);
  response.on("close", () => clearInterval(timer));
};

const retried: Record<string, Fault> = {
  "never answers": () => {},
  "resets the connection": (response) => response.socket!.resetAndDestroy(),
  "closes the connection": (response) => response.socket!.end(),
  "answers garbage": (response) => response.socket!.end("\0garbage\r\n\r\n"),
  "answers 500 without end": (response) => endless(response.writeHead(500)),
  "answers 503 a byte at a time": (response) => dripping(response.writeHead(503)),
  "answers half a status line": (response) => response.socket!.end("HTTP/1.1 20"),
  "answers 302": status(302, { location: "http://127.0.0.1:1/" }),
  "answers 401": status(401),
  "answers 403": status(403),
  "answers 404": status(404),
  "answers 408": status(408),
  "answers 429": status(429),
  "answers 500": status(500),
  "answers 502": status(502),
  "answers 503": status(503),
  "answers 504": status(504),
  "answers 429, with a Retry-After that is none": status(429, { "retry-after": "soon" }),
};

describe("a server that", () => {
  test.each(Object.entries(retried))("%s is waited for", async (_what, fault) => {
    server.fault = fault;
    const feed = await startFeed("troubled", server.url, 500);
    await append();
    await expectOthersUndisturbed();
    await until("the fault was met several times", () => server.faults > atATime + 2);
    expect(server.taken).toEqual([]);
    expect(feed.failure).toBeDefined();
    expectBalance(feed);
    server.fault = undefined;
    await until("all is delivered", () => isDrained(feed));
    expect(server.taken.toSorted()).toEqual(sent.toSorted());
    expectBalance(feed);
    expectBounded();
  });

  test("is not there is waited for", async () => {
    await server.close();
    const feed = await startFeed("troubled", server.url);
    await append();
    await expectOthersUndisturbed();
    await until("it was tried", () => feed.failure?.reason === "unreachable");
    await server.listen();
    await until("all is delivered", () => isDrained(feed));
    expect(server.taken.toSorted()).toEqual(sent.toSorted());
  });

  const took: Record<string, (response: ServerResponse) => void> = {
    "whose body breaks off": (response) => {
      response.writeHead(200, { "content-length": 100 }).write("x");
      setImmediate(() => response.destroy());
    },
    "whose body is garbage": (response) =>
      response.writeHead(200, { "content-type": "application/x-protobuf" }).end("\xff\xff"),
    "whose body never ends": (response) => endless(response.writeHead(200)),
    "a byte at a time": (response) => dripping(response.writeHead(200)),
    "as 204": (response) => response.writeHead(204).end(),
  };

  test.each(Object.entries(took))(
    "answers 200 %s is not sent anything twice",
    async (_, answer) => {
      server.fault = (response, _bytes, take) => {
        take();
        answer(response);
      };
      const feed = await startFeed("troubled", server.url, 500);
      await append();
      await expectOthersUndisturbed();
      await until("all is delivered", () => isDrained(feed));
      expect(server.faults).toBeGreaterThan(5);
      expect(server.taken.toSorted()).toEqual(sent.toSorted());
      expectBalance(feed);
      expectBounded();
    },
  );
});

describe("Retry-After is waited for, by all", () => {
  test.each([
    ["in seconds", () => "1"],
    ["as a date", () => new Date(Date.now() + 2_000).toUTCString()],
  ])("%s", async (_what, value) => {
    server.fault = (response) => {
      if (server.faults >= atATime) server.fault = undefined;
      response.writeHead(429, { "retry-after": value() }).end();
    };
    await append();
    const feed = await startFeed("troubled", server.url);
    await until("all is delivered", () => isDrained(feed));
    expect(server.faults).toBe(atATime);
    const gap = server.came[atATime]! - server.came[atATime - 1]!;
    expect(gap).toBeGreaterThan(950);
    expect(gap).toBeLessThan(10_000);
    expect(server.taken.toSorted()).toEqual(sent.toSorted());
  });

  test("an absurd one holds nothing up that is being stopped, and loses nothing", async () => {
    server.fault = status(503, { "retry-after": "999999999999" });
    await append();
    const feed = await startFeed("troubled", server.url);
    await until("it was told to wait", () => server.faults === atATime);
    await expectOthersUndisturbed();
    expect(server.came.length).toBe(atATime);
    await feed.stop(new AbortController().signal);
    expect(feed.reader.waiting.items.traces).toBe(sent.length);
  });
});

describe("what is refused for good", () => {
  const letters = (): DeadLetter[] =>
    readFileSync(lettersPath(), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as DeadLetter);
  const kept = (): string[] =>
    letters().flatMap(({ request }) => spanIds(Buffer.from(request, "base64")));

  test("whatever is sent: all of it is kept", async () => {
    server.fault = status(400);
    await append();
    const feed = await startFeed("troubled", server.url);
    await expectOthersUndisturbed();
    await until("all is dealt with", () => isDrained(feed));
    expect(kept().toSorted()).toEqual(sent.toSorted());
    expect(feed.books.total().traces).toBe(sent.length);
    expect(server.taken).toEqual([]);
    expectBounded();
  });

  test("for some records: these alone, the others are delivered once", async () => {
    const culprits = new Set<string>();
    server.fault = (response, bytes, take) => {
      if (spanIds(bytes).some((id) => culprits.has(id))) response.writeHead(400).end("bad span");
      else {
        take();
        response.end();
      }
    };
    await append();
    for (const index of [0, 77, 78, 300, sent.length - 1]) culprits.add(sent[index]!);
    const feed = await startFeed("troubled", server.url);
    await until("all is dealt with", () => isDrained(feed));
    expect(new Set(kept())).toEqual(culprits);
    expect(letters().length).toBe(culprits.size);
    const others = sent.filter((id) => !culprits.has(id));
    expect(server.taken.toSorted()).toEqual(others.toSorted());
    expectBalance(feed);
  });

  test("as too large: halved until it is taken", async () => {
    server.fault = (response, bytes, take) => {
      if (bytes.length > 4_000) response.writeHead(413).end();
      else {
        take();
        response.end();
      }
    };
    await append();
    const feed = await startFeed("troubled", server.url);
    await until("all is dealt with", () => isDrained(feed));
    expect(server.taken.toSorted()).toEqual(sent.toSorted());
    expect([...feed.books.lines].map(({ outcome }) => outcome)).toEqual(["delivered"]);
  });

  test("in part: never sent again, kept with what the server said", async () => {
    const body = encodeResponse("traces", {
      partialSuccess: { rejectedSpans: "2", errorMessage: "too old" },
    });
    server.fault = (response, _bytes, take) => {
      take();
      response.writeHead(200, { "content-type": "application/x-protobuf" }).end(body);
    };
    await append();
    const feed = await startFeed("troubled", server.url);
    await until("all is dealt with", () => isDrained(feed));
    expect(server.taken.toSorted()).toEqual(sent.toSorted());
    for (const letter of letters()) {
      expect(letter).toMatchObject({ items: 2, reason: "partial_success", detail: "too old" });
      expect(letter.among).toBeGreaterThan(2);
    }
    const rejected = [...feed.books.lines].find(({ outcome }) => outcome === "rejected");
    expect(rejected?.items).toBe(server.faults * 2);
    expectBalance(feed);
  });
});
