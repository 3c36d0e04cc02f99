// A collector for tests, in the process of the test: takes OTLP/HTTP on a free port, keeps what it is sent,
// and lets a test wait for what it expects. The app under test is another process or the same one.

import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect, promisify } from "node:util";
import { gunzip } from "node:zlib";
import { fileURLToPath } from "node:url";
import { extname } from "node:path";
import { type Signal, signals } from "../../collector/wire/batch.ts";
import { fromJson } from "../../collector/wire/from-json.ts";
import { toJson } from "../../collector/wire/to-json.ts";
import { describeProblem, validate } from "../../collector/wire/validate.ts";
import { leaveUntraced } from "../export/prometheus.ts";
import { type Items, itemsOf, type LogRecord, type Metric, type Span } from "./items.ts";
import { matches, type Pattern } from "./match.ts";
import { tree } from "./tree.ts";

export interface WaitOptions {
  /** Milliseconds; 5000 unless given. */
  readonly within?: number;
  /** How many there have to be at least; 1 unless given. */
  readonly count?: number;
}

export interface TestCollector {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  /**
   * For the environment of a Node that is to be observed: preloads the SDK, sends here, and sends soon.
   * NODE_OPTIONS of this process are kept.
   */
  readonly env: Readonly<Record<string, string>>;
  /** Everything so far, in the order in which it came. */
  readonly received: Items;
  /** Waits until there are spans that match, and gives all that do. Rejects with what came instead. */
  spans(pattern?: Pattern<Span>, options?: WaitOptions): Promise<readonly Span[]>;
  logs(pattern?: Pattern<LogRecord>, options?: WaitOptions): Promise<readonly LogRecord[]>;
  /** A metric comes again with each export; the last one is the latest. */
  metrics(pattern?: Pattern<Metric>, options?: WaitOptions): Promise<readonly Metric[]>;
  /** Forgets what was received. */
  clear(): void;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts on a free port of the loopback address, unless another is given. */
export async function startCollector({ port = 0 } = {}): Promise<TestCollector> {
  const received: Items = { spans: [], logs: [], metrics: [] };
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    void answer(request, response, (signal, json) => {
      const items = itemsOf(signal, json);
      keep(received.spans, items.spans);
      keep(received.logs, items.logs);
      keep(received.metrics, items.metrics);
      for (const check of waiting) check();
    });
  });
  leaveUntraced(server);
  await listen(server, port);
  server.unref(); // a test that forgets to close it still ends
  const { port: given } = server.address() as AddressInfo; // it listens on TCP
  const url = `http://127.0.0.1:${given}`;
  const wait = <Item>(name: keyof Items, pattern: unknown, options?: WaitOptions) =>
    waitFor<Item>({ name, pattern, options, received, waiting });
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return {
    url,
    env: environment(url),
    received,
    spans: (pattern, options) => wait<Span>("spans", pattern, options),
    logs: (pattern, options) => wait<LogRecord>("logs", pattern, options),
    metrics: (pattern, options) => wait<Metric>("metrics", pattern, options),
    clear() {
      for (const name of names) received[name].length = 0;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Of what was received, without waiting. */
export function spans(
  from: Pick<TestCollector, "received"> | readonly Span[],
  pattern: Pattern<Span> = {},
): readonly Span[] {
  const all = "received" in from ? from.received.spans : from;
  return all.filter((span) => matches(span, pattern));
}

const names = ["spans", "logs", "metrics"] as const;

/** The oldest go: a test that never clears must not eat all memory. */
const mostItems = 100_000;

function keep<Item>(all: Item[], more: readonly Item[]): void {
  for (const item of more) all.push(item);
  if (all.length > mostItems) all.splice(0, all.length - mostItems);
}

function environment(url: string): Record<string, string> {
  const register = `register${extname(new URL(import.meta.url).pathname)}`;
  const file = fileURLToPath(new URL(`../${register}`, import.meta.url));
  const escaped = file.replaceAll(/["\\]/g, String.raw`\$&`);
  const options = [process.env["NODE_OPTIONS"], `--require "${escaped}"`];
  return {
    NODE_OPTIONS: options.filter(Boolean).join(" "),
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    OTEL_BSP_SCHEDULE_DELAY: "20",
    OTEL_BLRP_SCHEDULE_DELAY: "20",
    OTEL_METRIC_EXPORT_INTERVAL: "200",
    OTEL_METRIC_EXPORT_TIMEOUT: "200",
  };
}

// ── waiting ──────────────────────────────────────────────────────────────────────────────────────

interface Wait {
  readonly name: keyof Items;
  readonly pattern: unknown;
  readonly options: WaitOptions | undefined;
  readonly received: Items;
  readonly waiting: Set<() => void>;
}

function waitFor<Item>(wait: Wait): Promise<readonly Item[]> {
  const { name, pattern, options: { within = 5000, count = 1 } = {}, received, waiting } = wait;
  const found = () =>
    (received[name] as readonly unknown[]).filter((item) => matches(item, pattern ?? {})) as Item[];
  // Made here, where the stack still has the line of the test.
  const failure = new Error();
  return new Promise((resolve, reject) => {
    const check = (): void => {
      const items = found();
      if (items.length < count) return;
      settle();
      resolve(items);
    };
    const timer = setTimeout(() => {
      settle();
      const missing = count === 1 ? "no" : `only ${found().length} of ${count}`;
      failure.message =
        `${missing} ${name}${pattern ? ` ${inspect(pattern)}` : ""} within ${within} ms; ` +
        `what came:\n${listOf(received)}`;
      reject(failure);
    }, within);
    const settle = (): void => {
      clearTimeout(timer);
      waiting.delete(check);
    };
    waiting.add(check);
    check();
  });
}

const mostListed = 50;

function listOf({ spans, logs, metrics }: Items): string {
  const lines = [
    ...tree(spans.slice(-mostListed)).split("\n"),
    ...logs.slice(-mostListed).map(({ severity, body }) => `log ${severity} ${inspect(body)}`),
    ...new Set(metrics.map(({ name }) => `metric ${name}`)),
  ].filter(Boolean);
  return lines.length === 0 ? "  nothing" : lines.map((line) => `  ${line}`).join("\n");
}

// ── OTLP/HTTP ────────────────────────────────────────────────────────────────────────────────────

const mostBytes = 64 * 1024 * 1024;

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  take: (signal: Signal, json: string) => void,
): Promise<void> {
  try {
    const signal = signals.find((signal) => request.url === `/v1/${signal}`);
    const body = await bodyOf(request);
    if (request.method !== "POST" || signal === undefined) {
      response.writeHead(404).end();
      return;
    }
    const isJson = request.headers["content-type"]?.startsWith("application/json") ?? false;
    const { bytes, leftOut } = isJson
      ? fromJson(signal, body)
      : { bytes: body, leftOut: undefined };
    if (leftOut) throw new Error(leftOut.message);
    const checked = validate(signal, bytes);
    if (checked.kind === "invalid") throw new Error(describeProblem(checked.problem));
    take(signal, toJson(signal, bytes));
    const type = isJson ? "application/json" : "application/x-protobuf";
    response.writeHead(200, { "content-type": type }).end(isJson ? "{}" : "");
  } catch (error) {
    response.writeHead(400, { "content-type": "text/plain" }).end((error as Error).message);
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > mostBytes) throw new Error(`more than ${mostBytes} bytes`);
  }
  const body = Buffer.concat(chunks);
  if (request.headers["content-encoding"] !== "gzip") return body;
  return promisify(gunzip)(body, { maxOutputLength: mostBytes });
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
}
