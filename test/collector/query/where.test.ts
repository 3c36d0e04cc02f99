import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Entry } from "../../../collector/log/log.ts";
import type { Line } from "../../../collector/output/books.ts";
import { idOf } from "../../../collector/output/dead-letter-file.ts";
import { parseTraceId, spansOf } from "../../../collector/query/trace-search.ts";
import {
  type OutputReport,
  type TraceReport,
  where,
  type WhereOutput,
} from "../../../collector/query/where.ts";
import type { Step } from "../../../collector/step/step.ts";
import type { Batch, Signal } from "../../../collector/wire/batch.ts";
import { extractLeaf } from "../../../collector/wire/extract.ts";
import { letter, requestOf, writeLetters } from "../../support/letters.ts";
import { attributes, encodeRequest, type Request, sampleBatch } from "../../support/otlp.ts";

const trace = "ab".repeat(16);
const traceId = parseTraceId(trace)!;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-where-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Spans of the trace, each with an id of its own, among others that are not of it. */
function request(names: readonly string[], service = "shop"): Request {
  const resource = { attributes: attributes({ "host.name": "h", "service.name": service }) };
  const spans = names.flatMap((name) => [
    {
      traceId: "cd".repeat(16),
      spanId: "11".repeat(8),
      name: "other",
      links: [{ traceId: trace }],
    },
    { traceId: trace, spanId: Buffer.from(name.padEnd(8).slice(0, 8)).toString("hex"), name },
  ]);
  return { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] };
}

function batch(names: readonly string[], service?: string): Batch {
  const bytes = encodeRequest("traces", request(names, service));
  return { signal: "traces", bytes, items: names.length * 2 };
}

const other = (seed: number, signal: Signal = "traces"): Batch =>
  sampleBatch(signal, { items: 10, seed });

function entries(batches: readonly Batch[], from = 0): Entry[] {
  return batches.map((one, index) => ({
    position: from + index,
    batch: one,
    atMs: Date.now() - 60_000,
  }));
}

const file = (name: string): string => join(folder, "dead", `${name}.jsonl`);

function output(name: string, position: number, more: Partial<WhereOutput> = {}): WhereOutput {
  const usual = { books: [], deadLetters: file(name), wants: ["traces"] as const };
  return { name, position, ...usual, ...more };
}

async function* held(given: readonly Entry[]): AsyncGenerator<Entry> {
  yield* given;
}

const ask = (given: readonly Entry[], ...outputs: readonly WhereOutput[]): Promise<TraceReport> =>
  where(traceId, { held: () => held(given), outputs });

const outcomesOf = ({ outputs }: TraceReport, name = "out"): OutputReport["outcomes"] =>
  outputs.find(({ output }) => output === name)?.outcomes ?? [];

const line = (outcome: Line["outcome"], items: number, reason: Line["reason"] = ""): Line => ({
  signal: "traces",
  outcome,
  reason,
  items,
});

describe("a trace id", () => {
  test.each([trace, trace.toUpperCase()])("%s is one", (text) => {
    expect(parseTraceId(text)?.toString("hex")).toBe(trace);
  });

  test.each(["", "ab", `${trace}ab`, "xy".repeat(16), "0".repeat(32), `${trace.slice(2)}  `])(
    "%j is none",
    (text) => {
      expect(parseTraceId(text)).toBeUndefined();
    },
  );
});

describe("the spans of a trace in a request", () => {
  test("are those that have its id, and not those that link to it", () => {
    expect(spansOf(traceId, batch(["a", "b"]))).toEqual([
      { spanId: Buffer.from("a".padEnd(8)).toString("hex"), name: "a", service: "shop" },
      { spanId: Buffer.from("b".padEnd(8)).toString("hex"), name: "b", service: "shop" },
    ]);
  });

  test("are none where only the bytes occur", () => {
    const text = Buffer.from(trace, "hex").toString("latin1");
    const none = encodeRequest("traces", {
      resourceSpans: [
        {
          scopeSpans: [
            { spans: [{ traceId: "cd".repeat(16), spanId: "11".repeat(8), name: text }] },
          ],
        },
      ],
    });
    expect(spansOf(traceId, { signal: "traces", bytes: none, items: 1 })).toEqual([]);
    expect(spansOf(traceId, { ...batch(["a"]), signal: "logs" })).toEqual([]);
  });

  test("need no service, nor one that is a string", () => {
    const of = (value: object): string | undefined => {
      const resource = { attributes: [{ key: "service.name", value }] };
      const spans = [{ traceId: trace, spanId: "11".repeat(8), name: "a" }];
      const bytes = encodeRequest("traces", {
        resourceSpans: [{ resource, scopeSpans: [{ spans }] }],
      });
      return spansOf(traceId, { signal: "traces", bytes, items: 1 })[0]?.service;
    };
    expect(of({ stringValue: "shop" })).toBe("shop");
    expect(of({ intValue: "7" })).toBe("");
    expect(of({})).toBe("");
  });
});

test("every span is listed with its place, service and time", async () => {
  const given = entries([other(1), batch(["a", "b"]), other(2), batch(["c"], "stock")], 40);
  const report = await ask(given, output("out", 44));
  expect(report).toMatchObject({ trace_id: trace, span_count: 3 });
  expect(report.spans.map(({ name, service, position }) => [name, service, position])).toEqual([
    ["a", "shop", 41],
    ["b", "shop", 41],
    ["c", "stock", 43],
  ]);
  expect(
    report.spans.every(({ received }) => Math.abs(Date.parse(received) - Date.now()) < 1e5),
  ).toBe(true);
});

test("below the cursor it is delivered, from the cursor on it waits, with what is before it", async () => {
  const given = entries([batch(["a"]), other(1), other(2, "logs"), batch(["b", "c"])], 7);
  const report = await ask(given, output("out", 8));
  const [first, second] = outcomesOf(report);
  expect(first).toEqual({ outcome: "delivered", spans: 1 });
  const bytes = given[1]!.batch.bytes.length + given[2]!.batch.bytes.length;
  expect(second).toMatchObject({
    outcome: "waiting",
    spans: 2,
    before_it: { batches: 2, items: 20, bytes },
  });
  expect(second?.age_s).toBeGreaterThan(59);
  expect(second?.age_s).toBeLessThan(120);
});

test("the very next batch has nothing before it", async () => {
  const report = await ask(entries([batch(["a"])]), output("out", 0));
  expect(outcomesOf(report)).toMatchObject([{ before_it: { batches: 0, items: 0, bytes: 0 } }]);
});

test("an output that does not take traces has filtered it", async () => {
  const report = await ask(entries([batch(["a"])]), output("out", 1, { wants: ["logs"] }));
  expect(outcomesOf(report)).toEqual([{ outcome: "filtered", spans: 1, reason: "not_wanted" }]);
});

test("a step that took spans is named, for each of them", async () => {
  /** Takes every span of this name away. */
  const drop = (name: string, unwanted: string): Step => ({
    name,
    apply: (given) => {
      const spans = spansOf(traceId, given).filter((span) => span.name !== unwanted);
      return spans.length === 0
        ? { ...given, bytes: new Uint8Array(), items: 0 }
        : batch(spans.map((span) => span.name));
    },
  });
  const steps = [drop("drop-health", "health"), drop("sample", "rare"), drop("none", "nothing")];
  const given = entries([batch(["health", "kept", "rare"]), batch(["health"])]);
  expect(outcomesOf(await ask(given, output("out", 2, { steps })))).toEqual([
    { outcome: "filtered", spans: 2, step: "drop-health" },
    { outcome: "delivered", spans: 1 },
    { outcome: "filtered", spans: 1, step: "sample" },
  ]);
});

describe("dead letters", () => {
  const refused = batch(["a", "b"]);

  test("tell what was refused, of a batch and of single spans", async () => {
    const leaf = Buffer.from(extractLeaf(refused.bytes, 3)!).toString("base64");
    const whole = letter(1, { request: requestOf("traces", request(["w"])), items: 2 });
    const single = letter(0, {
      request: leaf,
      index: 3,
      items: 1,
      reason: "too_large",
      detail: "b",
    });
    writeLetters(file("out"), ["torn{\n", whole, single, letter(0, { signal: "logs" })]);
    const report = await ask(entries([refused, batch(["w"])]), output("out", 2));
    expect(outcomesOf(report)).toEqual([
      { outcome: "delivered", spans: 1 },
      { outcome: "rejected", spans: 1, reason: "too_large", detail: "b", letters: [idOf(single)] },
      { outcome: "rejected", spans: 1, reason: "bad_data", detail: "no", letters: [idOf(whole)] },
    ]);
  });

  test("tell it also when the log has nothing of it any more", async () => {
    const kept = letter(3, { request: requestOf("traces", request(["a", "b"])), items: 4 });
    for (const name of ["one", "two"]) writeLetters(file(name), [kept]);
    const report = await ask(entries([other(1)], 9), output("one", 10), output("two", 9));
    expect(report.span_count).toBe(2);
    expect(report.spans).toMatchObject([
      { name: "a", position: 3, is_in_log: false, received: kept.at },
      { name: "b", position: 3, is_in_log: false },
    ]);
    for (const name of ["one", "two"]) {
      expect(outcomesOf(report, name)).toMatchObject([{ outcome: "rejected", spans: 2 }]);
    }
  });

  test("of one output say nothing about another", async () => {
    const kept = letter(0, { request: requestOf("traces", request(["a", "b"])), items: 4 });
    writeLetters(file("one"), [kept]);
    const report = await ask(entries([refused]), output("one", 1), output("two", 1));
    expect(outcomesOf(report, "one")).toMatchObject([{ outcome: "rejected", spans: 2 }]);
    expect(outcomesOf(report, "two")).toEqual([{ outcome: "delivered", spans: 2 }]);
    expect(report.span_count).toBe(2);
  });

  test("of the same span at another place say nothing about this one", async () => {
    writeLetters(file("out"), [
      letter(1, { request: requestOf("traces", request(["a"])), items: 2 }),
    ]);
    const report = await ask(entries([batch(["a"]), batch(["a"])]), output("out", 2));
    expect(outcomesOf(report)).toMatchObject([
      { outcome: "delivered", spans: 1 },
      { outcome: "rejected", spans: 1 },
    ]);
  });

  test("about several batches at once are about the later ones too", async () => {
    const both = letter(0, {
      request: Buffer.concat([batch(["a"]).bytes, batch(["b"]).bytes]).toString("base64"),
      items: 1,
      among: 4,
      reason: "partial_success",
    });
    writeLetters(file("out"), [both]);
    const report = await ask(entries([batch(["a"]), batch(["b"])]), output("out", 2));
    expect(outcomesOf(report)).toMatchObject([
      { outcome: "rejected", spans: 2, reason: "partial_success" },
    ]);
  });

  test("that were written, but not yet committed, are not counted besides waiting", async () => {
    writeLetters(file("out"), [
      letter(0, { request: requestOf("traces", request(["a"])), items: 2 }),
    ]);
    const report = await ask(entries([batch(["a"])]), output("out", 0));
    expect(report.span_count).toBe(1);
    expect(outcomesOf(report)).toMatchObject([{ outcome: "waiting", spans: 1 }]);
  });

  test("that are missing are admitted", async () => {
    const books = [line("delivered", 90), line("rejected", 12, "bad_data")];
    writeLetters(file("out"), [letter(5, { items: 10 })]);
    const { outputs } = await ask(entries([batch(["a"])]), output("out", 1, { books }));
    expect(outputs).toMatchObject([
      { refused_without_letter: 2, outcomes: [{ outcome: "delivered", spans: 1 }] },
    ]);
  });

  test("that are missing where nothing was ever delivered: it was refused", async () => {
    const books = [line("rejected", 12, "bad_data")];
    const report = await ask(entries([batch(["a"])]), output("out", 1, { books }));
    expect(outcomesOf(report)).toMatchObject([{ outcome: "rejected", spans: 1 }]);
  });
});

describe("without the collector, which alone knows the steps", () => {
  const ofBooks = async (...books: readonly Line[]): Promise<OutputReport["outcomes"]> =>
    outcomesOf(await ask(entries([batch(["a"])]), output("out", 1, { books, wants: undefined })));

  test("it is delivered where nothing was filtered", async () => {
    expect(await ofBooks(line("delivered", 9))).toEqual([{ outcome: "delivered", spans: 1 }]);
  });

  test("it is filtered where everything was", async () => {
    expect(await ofBooks(line("filtered", 9, "not_wanted"))).toEqual([
      { outcome: "filtered", spans: 1, reason: "not_wanted" },
    ]);
  });

  test("it has passed where both occurred", async () => {
    expect(await ofBooks(line("filtered", 9, "not_wanted"), line("delivered", 1))).toEqual([
      { outcome: "passed", spans: 1 },
    ]);
  });
});

test("what holds an output up is told", async () => {
  const failure = { sinceMs: 1, atMs: 2, reason: "unreachable", detail: "no route" };
  const { outputs } = await ask(entries([batch(["a"])]), output("out", 0, { failure }));
  expect(outputs[0]?.failure).toEqual({ reason: "unreachable", detail: "no route" });
});

test("of very many spans all are counted and a thousand listed", async () => {
  const names = Array.from({ length: 1001 }, (_, index) => `s${index}`);
  const report = await ask(entries([batch(names)]), output("out", 1));
  expect(report.span_count).toBe(1001);
  expect(report.spans.length).toBe(1000);
  expect(outcomesOf(report)).toEqual([{ outcome: "delivered", spans: 1001 }]);
});

test("others get their turns while a long log is searched", async () => {
  const one = entries([other(1)])[0]!;
  async function* long(): AsyncGenerator<Entry> {
    for (let position = 0; position < 20_000; position++) yield { ...one, position };
  }
  let turns = 0;
  let isDone = false;
  const count = (): void => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  await where(traceId, { held: long, outputs: [output("out", 0)] });
  isDone = true;
  const searched = 20_000 * one.batch.bytes.length;
  expect(turns).toBeGreaterThanOrEqual(Math.floor(searched / (1 << 20)));
});

test("a search that nobody waits for any more ends", async () => {
  const given = entries([other(1), other(2)]);
  const aborted = where(traceId, {
    held: () => held(given),
    outputs: [],
    signal: AbortSignal.abort(),
  });
  await expect(aborted).rejects.toThrow("aborted");
});
