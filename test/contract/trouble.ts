// A log, an output to a server that is in trouble, and another one to a server that is well: what the
// contract of outputs about faults looks at.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect } from "vitest";
import { startHealth } from "../../collector/health.ts";
import { DiskLog } from "../../collector/log/disk-log.ts";
import { heldIn } from "../../collector/log/inspect.ts";
import type { Memory } from "../../collector/memory/memory.ts";
import type { DeadLetter } from "../../collector/output/dead-letter.ts";
import { DeadLetters } from "../../collector/output/dead-letters.ts";
import { Feed } from "../../collector/output/feed.ts";
import { open as openOtlp } from "../../collector/output/otlp/otlp.ts";
import { settings as otlpSettings } from "../../collector/output/otlp/settings.ts";
import type { Output } from "../../collector/output/output.ts";
import { where } from "../../collector/query/where.ts";
import { Incidents } from "../../collector/telemetry/incidents.ts";
import type { Batch, Signal } from "../../collector/wire/batch.ts";
import { spoiled } from "../support/memory.ts";
import { decodeRequest, encodeRequest, sampleBatch } from "../support/otlp.ts";
import { gauge, request } from "../support/prometheus-metrics.ts";
import { startSink } from "../support/sink.ts";
import { TroubledServer } from "../support/troubled-server.ts";
import { until } from "../support/until.ts";
import type { OpenOptions, Subject } from "./faults.ts";
import { outputContext } from "./output.ts";

const itemsEach = 25;
/** Made once: that takes longer than to deliver them. */
const batches = new Map<Signal, readonly Batch[]>();

function batchesOf(signal: Signal): readonly Batch[] {
  const known = batches.get(signal);
  if (known) return known;
  const made = Array.from({ length: 12 }, (_, index) =>
    signal === "metrics"
      ? gaugesOf(index)
      : sampleBatch(signal, { items: itemsEach, seed: index + 1 }),
  );
  batches.set(signal, made);
  return made;
}

/** Of which each point is a metric of its own and has an id. */
function gaugesOf(number: number): Batch {
  const metrics = Array.from({ length: itemsEach }, (_, index) =>
    gauge(`gauge_${index}`, index, { with: { id: `${number}-${index}` } }),
  );
  const bytes = encodeRequest("metrics", request(metrics));
  return { signal: "metrics", bytes, items: itemsEach };
}

/** Given to the output in all places that are for secrets, and to be found nowhere else. */
const secret = "hunter2";
const inHeader = Buffer.from(`me:${secret}`).toString("base64");

/** Of spans and log records, their span ids; of points, those that gaugesOf() gives them. */
export function idsIn(signal: Signal, bytes: Uint8Array): string[] {
  const decoded = decodeRequest(signal, bytes);
  const spans = (decoded.resourceSpans ?? []).flatMap(({ scopeSpans }) =>
    scopeSpans!.flatMap(({ spans }) => spans!.map(({ spanId }) => spanId!)),
  );
  const records = (decoded.resourceLogs ?? []).flatMap(({ scopeLogs }) =>
    scopeLogs!.flatMap(({ logRecords }) => logRecords!.map(({ spanId }) => spanId!)),
  );
  const points = (decoded.resourceMetrics ?? []).flatMap(({ scopeMetrics }) =>
    scopeMetrics!.flatMap(({ metrics }) => metrics!.flatMap((metric) => metric.gauge!.dataPoints!)),
  );
  const ids = points.map(({ attributes }) => attributes![0]!.value!.stringValue!);
  return [...spans, ...records, ...ids];
}

export class Trouble<Response> {
  readonly server: TroubledServer<Response>;
  readonly feeds: Feed[] = [];
  readonly sent: string[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), "sonde-trouble-"));
  /** How often the output has tried to deliver something. */
  tries = 0;
  /** How many requests it may have on their way. */
  atATime = 1;
  readonly #subject: Subject<Response>;
  readonly #memory: Memory = spoiled();
  readonly #said: string[] = [];
  readonly #incidents = new Incidents({ write: (line) => this.#said.push(line) });
  #log!: DiskLog; // opened by open()
  #traceId = "";

  private constructor(subject: Subject<Response>) {
    this.#subject = subject;
    this.server = new TroubledServer(subject.transport, subject);
  }

  static async open<Response>(subject: Subject<Response>): Promise<Trouble<Response>> {
    const trouble = new Trouble(subject);
    await trouble.server.listen();
    await trouble.#openLog();
    const output = await trouble.#openOutput({});
    trouble.atATime = output.maxInFlight ?? 1;
    await output.close();
    return trouble;
  }

  async close(): Promise<void> {
    await this.#end();
    await this.server.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** As when the collector is: feeds have to be started again. */
  async restart(): Promise<void> {
    await this.#end();
    await this.#openLog();
  }

  async append(): Promise<void> {
    const { signal } = this.#subject;
    for (const batch of batchesOf(signal)) {
      this.sent.push(...idsIn(signal, batch.bytes));
      this.#traceId ||= traceIdIn(signal, batch.bytes);
      await this.#log.append(batch);
    }
  }

  /** What takes longer than `timeout_ms` is sent again, so it is long where nothing hangs. */
  async startFeed(given: Partial<OpenOptions> = {}): Promise<Feed> {
    const output = await this.#openOutput(given);
    const deliver: Output["deliver"] = (...args) => {
      this.tries++;
      return output.deliver(...args);
    };
    return await this.#feed("troubled", {
      wants: output.wants,
      maxItems: output.maxItems,
      maxBytes: output.maxBytes,
      maxInFlight: this.atATime,
      takesParts: output.takesParts ?? false,
      deliver,
      close: () => output.close(),
    });
  }

  letters(): DeadLetter[] {
    return readFileSync(this.#lettersPath, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as DeadLetter);
  }

  /** The ids in all of them. */
  kept(): string[] {
    const { signal } = this.#subject;
    return this.letters().flatMap(({ request }) => idsIn(signal, Buffer.from(request, "base64")));
  }

  drained(feed: Feed): Promise<boolean> {
    return until("all is dealt with", () => feed.reader.waiting.batches === 0);
  }

  /** Another output of the same log, to a server that is well, has all of it while the fault lasts. */
  async expectOthersUndisturbed(): Promise<void> {
    const sink = await startSink();
    const context = outputContext({ name: "well", memory: this.#memory });
    const output = await openOtlp(otlpSettings.parse({ endpoint: sink.url }), context);
    const well = await this.#feed("well", output);
    await this.drained(well);
    const got = sink.requests.flatMap(({ signal, bytes }) => idsIn(signal, bytes));
    expect(got.toSorted()).toEqual(this.sent.toSorted());
    await sink.close();
  }

  /** By health, and by `sonde where` for a trace. */
  async expectTold(status: string, reason: string | undefined): Promise<void> {
    const health = await this.#health();
    const troubled = health.outputs.find(({ name }) => name === "troubled");
    expect(health.status).toBe(status === "failing" ? "failing" : "ok");
    expect(troubled?.status).toBe(status);
    // Another try may have failed for another reason by now: some faults end in more than one way.
    const latest = this.feeds.findLast(({ name }) => name === "troubled")?.failure?.reason;
    expect([reason, latest]).toContain(troubled?.last_error?.reason);
    expect(troubled?.waiting.items[this.#subject.signal]).toBe(this.sent.length);
    for (const { name, status: other } of health.outputs) {
      if (name !== "troubled") expect(other).toBe("ok");
    }
    await this.#expectWhere("waiting");
    for (const feed of this.feeds) this.expectBalance(feed);
    this.expectSecretsKept();
  }

  async expectAllDelivered(): Promise<void> {
    const { server } = this;
    const feed = this.feeds.findLast(({ name }) => name === "troubled")!;
    await this.drained(feed);
    expect(server.taken.toSorted()).toEqual(this.sent.toSorted());
    this.expectBalance(feed);
    expect(server.mostAtATime).toBeLessThanOrEqual(this.atATime);
    expect(server.mostSent).toBeLessThan(24 << 20); // what is read, and fits into the kernel's buffers
    expect(server.authorizations).toContain(`Basic ${inHeader}`);
    const { outputs } = await this.#health();
    expect(outputs.find(({ name }) => name === "troubled")?.status).toBe("ok");
    await this.#expectWhere("delivered");
    this.expectSecretsKept();
  }

  expectBalance({ books, reader }: Feed): void {
    const { signal } = this.#subject;
    const since = this.#log.appended[signal] - books.began[signal];
    expect(books.total()[signal] + reader.waiting.items[signal]).toBe(since);
  }

  expectSecretsKept(): void {
    const letters = this.#lettersPath;
    const told = [
      ...this.#said,
      JSON.stringify(this.feeds.map(({ lastFailure }) => lastFailure)),
      existsSync(letters) ? readFileSync(letters, "utf8") : "",
    ].join("\n");
    expect(told).not.toContain(secret);
    expect(told).not.toContain(inHeader);
  }

  /** Of what is alive. */
  heapBytes(): number {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    collect();
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  }

  get #lettersPath(): string {
    return join(this.folder, "dead", "troubled.jsonl");
  }

  async #openLog(): Promise<void> {
    const [folder, incidents] = [join(this.folder, "log"), new Incidents({ write: () => {} })];
    const memory = this.#memory;
    this.#log = await DiskLog.open({ folder, maxBytes: 1 << 30, memory, incidents });
  }

  async #end(): Promise<void> {
    await Promise.all(this.feeds.splice(0).map((feed) => feed.stop(AbortSignal.abort())));
    await this.#log.close();
  }

  #openOutput(given: Partial<OpenOptions>): Promise<Output> {
    const { url = this.server.url, timeout_ms = 10_000, ...more } = given;
    const headers = { "x-secret": secret };
    const options = { ...more, url: url.replace("//", `//me:${secret}@`), timeout_ms, headers };
    const context = { name: "troubled", memory: this.#memory, incidents: this.#incidents };
    return this.#subject.open(options, outputContext(context));
  }

  async #feed(name: string, output: Output): Promise<Feed> {
    const feed = new Feed({
      name,
      log: this.#log,
      reader: await this.#log.reader(name),
      output,
      steps: [],
      deadLetters: new DeadLetters(join(this.folder, "dead", `${name}.jsonl`)),
      incidents: this.#incidents,
      backoff: { firstMs: 2, mostMs: 4, random: Math.random },
      memory: this.#memory,
    });
    feed.start();
    this.feeds.push(feed);
    return feed;
  }

  async #health(): Promise<Health> {
    const server = await startHealth(
      {
        isReady: () => true,
        receivers: () => [],
        log: this.#log,
        feeds: this.feeds,
        metrics: () => "",
        api: (_request, response) => response.end(),
      },
      { host: "127.0.0.1", port: 0, setting: "web_port" },
    );
    const response = await fetch(`${server.url}/health`);
    const health = (await response.json()) as Health;
    await server.stop();
    expect(response.status).toBe(health.status === "failing" ? 503 : 200);
    return health;
  }

  async #expectWhere(outcome: string): Promise<void> {
    if (this.#traceId === "") return;
    const report = await where(Buffer.from(this.#traceId, "hex"), {
      held: () => heldIn(join(this.folder, "log")),
      outputs: this.feeds.map(({ name, reader, books, failure }) => ({
        name,
        position: reader.committedUpTo,
        books: books.lines,
        deadLetters: join(this.folder, "dead", `${name}.jsonl`),
        wants: [this.#subject.signal],
        steps: [],
        failure,
      })),
    });
    // What all have passed is deleted at a restart, and then not found any more.
    if (outcome === "delivered" && report.span_count === 0) return;
    for (const { output, outcomes, failure } of report.outputs) {
      const isWaiting = output === "troubled" && outcome === "waiting";
      expect(outcomes).toMatchObject([{ outcome: isWaiting ? "waiting" : "delivered" }]);
      expect(failure !== undefined).toBe(isWaiting);
    }
  }
}

interface Health {
  readonly status: string;
  readonly outputs: readonly {
    readonly name: string;
    readonly status: string;
    readonly waiting: { readonly items: Readonly<Record<Signal, number>> };
    readonly last_error?: { readonly reason: string };
  }[];
}

/** Empty for logs: only spans can be asked for. */
function traceIdIn(signal: Signal, bytes: Uint8Array): string {
  const [first] = decodeRequest(signal, bytes).resourceSpans ?? [];
  return first?.scopeSpans?.[0]?.spans?.[0]?.traceId ?? "";
}
