// A destination that is dead, deaf, silent or mad, beside one that is well: the well one has everything
// as soon as ever, memory stays where it was, and when the bad one mends its ways it is given all of it.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { expectBalance, untilDone } from "../support/books.ts";
import { type CollectorProcess, startCollector } from "../support/collector-process.ts";
import { listenLocally } from "../support/listen.ts";
import { sampleBatch } from "../support/otlp.ts";
import { post } from "../support/post.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { until } from "../support/until.ts";

const { bytes: request } = sampleBatch("traces", { items: 100 });
const longestWaitMs = 2_000;
const mostMemoryBytes = 200 << 20;

const largest = "takes connections and reads nothing";

/** What is done with a connection; nobody listens where it is undefined. */
type Behaviour = ((socket: Socket) => void) | undefined;

const behaviours: Readonly<Record<string, Behaviour>> = {
  "refuses connections": undefined,
  [largest]: (socket) => socket.pause(),
  "reads and never answers": (socket) => socket.resume(),
  "closes as soon as it is spoken to": (socket) => socket.once("data", () => socket.destroy()),
  "answers what is no HTTP": (socket) => {
    socket.once("data", () => socket.end(`${"\x00\xffwhat?".repeat(100)}\r\n\r\n`));
  },
  "answers without end": (socket) => {
    socket.resume().once("data", () => {
      socket.write("HTTP/1.1 503 Busy\r\ntransfer-encoding: chunked\r\n\r\n");
      const more = (): void => {
        while (socket.writable && socket.write(`10000\r\n${"x".repeat(0x10000)}\r\n`));
      };
      socket.on("drain", more);
      more();
    });
  },
  "answers a byte at a time": (socket) => {
    socket.resume().once("data", () => {
      const dribble = setInterval(() => socket.write("H"), 50);
      socket.on("close", () => clearInterval(dribble));
    });
  },
};

/** More than the memory that it may take, or only so many that the case is soon over. */
const many = 3_000;
const few = 200;

describe.each(["http", "grpc"])("an output over %s that", { timeout: 120_000 }, (scheme) => {
  let folder: string;
  let good: Sink;
  let bad: BadServer;
  let collector: CollectorProcess;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "sonde-bad-"));
    good = await startSink();
  });
  afterEach(async () => {
    await collector?.kill("SIGKILL");
    await bad?.close();
    await good.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(Object.entries(behaviours))("%s harms no other", async (kind, behaviour) => {
    const requests = kind === largest ? many : few;
    bad = await startBadServer(behaviour);
    const outputs = {
      good: { type: "otlp", endpoint: good.url },
      bad: { type: "otlp", endpoint: `${scheme}://127.0.0.1:${bad.port}`, timeout_ms: 1_000 },
    };
    const config = join(folder, "sonde.yaml");
    writeFileSync(config, JSON.stringify({ outputs })); // JSON is YAML
    collector = await startCollector({ env: { SONDE_CONFIG: config } });

    let longestMs = 0;
    for (let round = 1; round <= 10; round++) {
      await Promise.all(Array.from({ length: 4 }, () => send(collector, requests / 40)));
      const answeredAtMs = performance.now();
      const expected = (round * requests * request.length) / 10;
      await until("the good one has it", () => arrived(good) === expected);
      longestMs = Math.max(longestMs, performance.now() - answeredAtMs);
    }
    expect(longestMs).toBeLessThan(longestWaitMs);
    expect(await collector.metric("process_resident_memory_bytes")).toBeLessThan(mostMemoryBytes);
    const waiting = await collector.metric("sonde_output_waiting_items", { output: "bad" });
    expect(waiting).toBe(requests * 100);
    await expectBalance(collector, "good", "bad");
    expect(bad.connections() > 0).toBe(behaviour !== undefined);
    if (scheme === "grpc") return;

    await bad.close();
    const mended = await startSink(bad.port);
    try {
      await untilDone(collector, "bad");
      expect(arrived(mended)).toBe(requests * request.length);
      await expectBalance(collector, "good", "bad");
    } finally {
      await mended.close();
    }
  });
});

async function send(collector: CollectorProcess, times: number): Promise<void> {
  for (let count = 0; count < times; count++) {
    expect(await post(collector.otlpHttp, "traces", request)).toBe(200);
  }
}

const arrived = (sink: Sink): number =>
  sink.requests.reduce((sum, { bytes }) => sum + bytes.length, 0);

interface BadServer {
  readonly port: number;
  connections(): number;
  close(): Promise<void>;
}

async function startBadServer(behaviour: Behaviour): Promise<BadServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    behaviour?.(socket);
  });
  const port = await listenLocally(server);
  const close = closeOf(server, sockets);
  if (!behaviour) await close();
  return { port, connections: () => sockets.size, close };
}

function closeOf(server: Server, sockets: ReadonlySet<Socket>): () => Promise<void> {
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
}
