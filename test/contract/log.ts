// What every log does. Each implementation calls this with a way to open one.

import { afterEach, describe, expect, test } from "vitest";
import type { Entry, Limits, Log, Reader, Slice } from "../../collector/log/log.ts";
import { Refused } from "../../collector/log/log.ts";
import { type Batch, copiedBelowBytes, type Signal } from "../../collector/wire/batch.ts";

export function batchOf(text: string, items = 1, signal: Signal = "traces"): Batch {
  return { signal, bytes: Buffer.from(text), items };
}

export const unlimited = (): Limits => ({
  maxItems: Infinity,
  maxBytes: Infinity,
  signal: new AbortController().signal,
});

/** The next so many, in however many slices, each behind the one before. Nothing is committed. */
async function allOf(reader: Reader, count: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  let from: number | undefined;
  while (entries.length < count) {
    const slice = await reader.next(unlimited());
    if (from !== undefined) expect(slice?.from).toBe(from);
    from = slice?.upTo;
    entries.push(...slice!.entries);
  }
  return entries;
}

/** What a log is opened with. */
export interface Limit {
  readonly maxBytes: number;
  readonly whenFull: "skip" | "refuse";
}

export function logContract(name: string, open: (limit: Limit) => Promise<Log>): void {
  describe(`${name} keeps the contract of a log`, () => {
    let log: Log;
    const opened = async (maxBytes = 1 << 30, whenFull: Limit["whenFull"] = "skip"): Promise<Log> =>
      (log = await open({ maxBytes, whenFull }));
    afterEach(() => log.close());

    test("positions count batches from 0", async () => {
      await opened();
      expect(await log.append(batchOf("a"))).toBe(0);
      expect(await Promise.all(["b", "c", "d"].map((text) => log.append(batchOf(text))))).toEqual([
        1, 2, 3,
      ]);
    });

    test("a reader gets what was appended, in order, byte for byte", async () => {
      await opened();
      const reader = await log.reader("out");
      const sizes = [0, 1, 63, 64, 65, 4096, 300_000, 7];
      for (const size of sizes) {
        await log.append({ signal: "logs", bytes: Buffer.alloc(size, size % 251), items: size });
      }
      const entries = await allOf(reader, sizes.length);
      expect(entries.map(({ batch }) => batch.bytes.length)).toEqual(sizes);
      entries.forEach(({ position, batch }, index) => {
        expect(position).toBe(index);
        expect(batch.items).toBe(sizes[index]);
        expect(batch.signal).toBe("logs");
        expect(Buffer.from(batch.bytes)).toEqual(Buffer.alloc(sizes[index]!, sizes[index]! % 251));
      });
    });

    test("readers are independent of one another", async () => {
      await opened();
      const quick = await log.reader("quick");
      const slow = await log.reader("slow");
      await log.append(batchOf("a"));
      const slice = await quick.next(unlimited());
      await quick.commit(slice!.upTo, "");
      await log.append(batchOf("b"));
      expect(texts(await quick.next(unlimited()))).toEqual(["b"]);
      expect(texts(await slow.next(unlimited()))).toEqual(["a", "b"]);
    });

    test("next waits for data", async () => {
      await opened();
      const reader = await log.reader("out");
      const next = reader.next(unlimited());
      await log.append(batchOf("late"));
      expect(texts(await next)).toEqual(["late"]);
    });

    test("grown ends when something is appended, or when its wait is aborted", async () => {
      await opened();
      const reader = await log.reader("out");
      const { signal } = new AbortController();
      const ends: string[] = [];
      const grown = reader.grown(signal).then(() => ends.push("grown"));
      await log.append(batchOf("a")).then(() => ends.unshift("appended"));
      await grown;
      expect(ends.toSorted()).toEqual(["appended", "grown"]);
      const ending = new AbortController();
      const waiting = reader.grown(ending.signal);
      ending.abort();
      await waiting;
      await reader.grown(ending.signal);
    });

    test("next ends with undefined when its wait is aborted", async () => {
      await opened();
      const reader = await log.reader("out");
      const abort = new AbortController();
      const next = reader.next({ ...unlimited(), signal: abort.signal });
      abort.abort();
      expect(await next).toBeUndefined();
      await log.append(batchOf("a"));
      expect(texts(await reader.next(unlimited()))).toEqual(["a"]);
    });

    test("next ends with undefined when the log is closed", async () => {
      await opened();
      const reader = await log.reader("out");
      const next = reader.next(unlimited());
      await log.close();
      expect(await next).toBeUndefined();
    });

    test("a slice keeps to its limits, and one batch above them comes alone", async () => {
      await opened();
      const reader = await log.reader("out");
      for (const text of ["aa", "bb", "cc", "a large one", "dd"]) {
        await log.append(batchOf(text, text.length));
      }
      const limits = { ...unlimited(), maxItems: 4, maxBytes: 1000 };
      expect(texts(await reader.next(limits))).toEqual(["aa", "bb"]);
      expect(texts(await reader.next({ ...unlimited(), maxBytes: 3 }))).toEqual(["cc"]);
      expect(texts(await reader.next(limits))).toEqual(["a large one"]);
      expect(texts(await reader.next(limits))).toEqual(["dd"]);
    });

    test("waiting counts what is not committed, per signal", async () => {
      await opened();
      const reader = await log.reader("out");
      await log.append(batchOf("aaaa", 3, "traces"));
      await log.append(batchOf("bb", 5, "metrics"));
      await log.append(batchOf("c", 7, "logs"));
      const all = { traces: 3, metrics: 5, logs: 7 };
      expect(reader.waiting).toMatchObject({ items: all, batches: 3, bytes: 7 });
      const first = await reader.next({ ...unlimited(), maxItems: 3 });
      expect(reader.waiting.items).toEqual(all);
      await reader.commit(first!.upTo, "memo");
      expect(reader.waiting).toMatchObject({
        items: { traces: 0, metrics: 5, logs: 7 },
        batches: 2,
        bytes: 3,
      });
      expect(reader.memo).toBe("memo");
      expect(log.appended).toEqual(all);
    });

    test("it knows since when the oldest uncommitted batch waits", async () => {
      const before = Date.now();
      await opened();
      const reader = await log.reader("out");
      await log.append(batchOf("a"));
      const slice = await reader.next(unlimited());
      expect(slice!.entries[0]!.atMs).toBeGreaterThanOrEqual(before);
      expect(reader.waiting.oldestAtMs).toBe(slice!.entries[0]!.atMs);
      await reader.commit(slice!.upTo, "");
      expect(reader.waiting.oldestAtMs).toBeUndefined();
    });

    test("a commit that ends no slice is our own mistake and throws", async () => {
      await opened();
      const reader = await log.reader("out");
      await log.append(batchOf("a"));
      await reader.next(unlimited());
      await expect(reader.commit(7, "")).rejects.toThrow(/ends no slice/);
    });

    test("two readers of one name are our own mistake and throw", async () => {
      await opened();
      await log.reader("out");
      await expect(log.reader("out")).rejects.toThrow(/"out" already/);
    });

    test("at its limit it refuses, says so, and takes again what is delivered", async () => {
      await opened(4000);
      const reader = await log.reader("out");
      const append = (): Promise<unknown> =>
        log.append(batchOf("x".repeat(500))).catch((error: unknown) => error);
      const answers: unknown[] = [];
      while (answers.length < 100 && !(answers.at(-1) instanceof Refused)) {
        answers.push(await append());
      }
      const refused = answers.pop();
      const taken = answers.length;
      expect(refused).toBeInstanceOf(Refused);
      expect(refused).toMatchObject({ reason: "full" });
      expect(taken).toBeGreaterThan(2);
      const slice = await reader.next(unlimited());
      expect(slice?.entries.length).toBe(taken);
      await reader.commit(slice!.upTo, "");
      expect(await log.append(batchOf("x".repeat(500)))).toBe(taken);
      expect(texts(await reader.next(unlimited()))).toEqual(["x".repeat(500)]);
    });

    test.each([10, 700, 3000])(
      "says how much may wait when there is room for %i bytes",
      async (size) => {
        await opened(4000, "refuse");
        const reader = await log.reader("out");
        const append = (bytes: number): Promise<unknown> =>
          log.append(batchOf("x".repeat(bytes))).then(
            () => "taken",
            ({ reason }: Refused) => reason,
          );
        for (let bytes = 1; (await append(bytes)) === "taken"; bytes = (bytes * 7) % 97);
        while ((await append(10)) === "taken");
        expect(reader.waiting.bytes).toBeGreaterThan(log.mostWaitingFor(10));
        while (reader.waiting.bytes > log.mostWaitingFor(size)) {
          expect(await append(size)).toBe("full");
          const slice = await reader.next({ ...unlimited(), maxItems: 1 });
          await reader.commit(slice!.upTo, "");
        }
        expect(await append(size)).toBe("taken");
        // What no log of this size could take is as far away as it is too large.
        const [far, farther] = [log.mostWaitingFor(5000), log.mostWaitingFor(6000)];
        expect([far < 0, far - farther]).toEqual([true, 1000]);
      },
    );

    test("a small batch's memory may be used again once append has returned, a large one's once it is in", async () => {
      await opened();
      const reader = await log.reader("out");
      const small = Buffer.alloc(copiedBelowBytes - 1, "a");
      const large = Buffer.alloc(copiedBelowBytes, "b");
      const appended = [small, large, small].map((bytes) => {
        const taken = log.append({ signal: "logs", bytes, items: 1 });
        if (bytes === small) small.fill("c");
        return taken;
      });
      await appended[1];
      large.fill("d");
      await Promise.all(appended);
      small.fill("d");
      const entries = await allOf(reader, 3);
      const firsts = entries.map(({ batch }) => String.fromCharCode(batch.bytes[0]!));
      expect(firsts).toEqual(["a", "b", "c"]);
      for (const { batch } of entries) expect(new Set(batch.bytes).size).toBe(1);
    });

    test("the bytes of a slice stay as they are until it is committed, whatever is read meanwhile", async () => {
      await opened();
      const reader = await log.reader("out");
      const batches = 300;
      const bytesOf = (index: number): Buffer => Buffer.alloc(10_000, index % 251);
      for (let round = 0; round < 2; round++) {
        for (let index = 0; index < batches; index++) {
          await log.append({ signal: "logs", bytes: bytesOf(index), items: 1 });
        }
        const slices: Slice[] = [];
        for (let read = 0; read < batches; read += slices.at(-1)!.entries.length) {
          slices.push((await reader.next({ ...unlimited(), maxItems: 20 }))!);
        }
        const entries = slices.flatMap((slice) => slice.entries);
        expect(entries.length).toBe(batches);
        entries.forEach(({ batch }, index) => {
          expect(bytesOf(index).equals(batch.bytes)).toBe(true);
        });
        for (const { upTo } of slices) await reader.commit(upTo, "");
      }
    });

    const large = "x".repeat(500);
    /** Ten batches of 500 bytes into a log of 4000; all but the last few fit. */
    async function overfill(ahead: Reader): Promise<void> {
      for (let count = 0; count < 10; count++) {
        await log.append(batchOf(large, count + 1, count % 2 === 0 ? "traces" : "logs"));
        const slice = await ahead.next(unlimited());
        await ahead.commit(slice!.upTo, "");
      }
    }

    /** Of traces and logs: what is behind its cursor, missed or committed, is one or the other once. */
    function balance(reader: Reader, committed: number): void {
      const { waiting, skipped } = reader;
      const missed = skipped.traces + skipped.logs;
      const left = waiting.items.traces + waiting.items.logs;
      expect(missed + left + committed).toBe(55);
    }

    test("full, it moves one that is behind past the oldest while another is ahead", async () => {
      await opened(4000);
      const ahead = await log.reader("ahead");
      const behind = await log.reader("behind");
      await overfill(ahead);
      expect(ahead.skipped).toEqual({ traces: 0, metrics: 0, logs: 0 });
      expect(behind.skipped.traces).toBeGreaterThan(0);
      balance(behind, 0);
      expect(behind.isCatchingUp).toBe(true);
      const slice = await behind.next(unlimited());
      expect(slice!.from).toBeGreaterThan(0);
      expect(slice!.upTo).toBe(10);
      const got = slice!.entries.reduce((sum, { batch }) => sum + batch.items, 0);
      balance(behind, 0);
      await behind.commit(slice!.upTo, "");
      balance(behind, got);
      expect(behind.isCatchingUp).toBe(false);
    });

    test("what was handed out before it moved on may be committed after, and counts once", async () => {
      await opened(4000);
      const ahead = await log.reader("ahead");
      const behind = await log.reader("behind");
      await log.append(batchOf("early", 7, "metrics"));
      await log.append(batchOf("early too", 5, "metrics"));
      const slices = [
        await behind.next({ ...unlimited(), maxItems: 7 }),
        await behind.next({ ...unlimited(), maxItems: 7 }),
      ];
      await overfill(ahead);
      expect(behind.skipped.metrics).toBe(12);
      await behind.commit(slices[0]!.upTo, "seven");
      expect(behind.skipped.metrics).toBe(5);
      expect(behind.memo).toBe("seven");
      const left = behind.waiting.batches;
      await behind.commit(slices[1]!.upTo, "twelve");
      expect(behind.skipped.metrics).toBe(0);
      expect(behind.waiting).toMatchObject({ batches: left, items: { metrics: 0 } });
      balance(behind, 0);
      const rest = await behind.next(unlimited());
      expect(rest!.from).toBe(12 - left);
    });

    test("a slice that reaches beyond where it was moved to counts once, too", async () => {
      await opened(4000);
      const ahead = await log.reader("ahead");
      const behind = await log.reader("behind");
      for (let count = 0; count < 4; count++) await log.append(batchOf(large, 1, "metrics"));
      const early = await behind.next(unlimited());
      expect(early!.upTo).toBe(4);
      const all = await ahead.next(unlimited());
      await ahead.commit(all!.upTo, "");
      let later = 0;
      for (; behind.skipped.metrics === 0; later++) {
        await log.append(batchOf(large, 1, "logs"));
        const slice = await ahead.next(unlimited());
        await ahead.commit(slice!.upTo, "");
      }
      await behind.commit(early!.upTo, "");
      expect(behind.skipped.metrics).toBe(0);
      expect(behind.waiting.items.metrics).toBe(0);
      expect(behind.skipped.logs + behind.waiting.items.logs).toBe(later);
      expect((await behind.next(unlimited()))!.upTo).toBe(4 + later);
    });

    test.each([
      { whenFull: "refuse" as const, what: "that is told to refuse", passed: true },
      { whenFull: "skip" as const, what: "of which all are behind", passed: false },
    ])("a full one $what refuses, and nobody misses a thing", async ({ whenFull, passed }) => {
      await opened(4000, whenFull);
      const one = await log.reader("one");
      const other = await log.reader("other");
      const fill = async (): Promise<void> => {
        for (let count = 0; count < 10; count++) {
          await log.append(batchOf(large));
          if (!passed) continue;
          const slice = await one.next(unlimited());
          await one.commit(slice!.upTo, "");
        }
      };
      await expect(fill()).rejects.toMatchObject({ reason: "full" });
      expect(other.skipped.traces).toBe(0);
      expect(texts(await other.next(unlimited())).length).toBeGreaterThan(2);
    });

    test("a batch that can never fit is refused as too large", async () => {
      await opened(1000);
      await expect(log.append(batchOf("x".repeat(1001)))).rejects.toMatchObject({
        reason: "too_large",
      });
    });

    test("once closed it refuses", async () => {
      await opened();
      await log.close();
      await expect(log.append(batchOf("a"))).rejects.toMatchObject({ reason: "closed" });
    });
  });
}

function texts(slice: Awaited<ReturnType<Awaited<ReturnType<Log["reader"]>>["next"]>>): string[] {
  return (slice?.entries ?? []).map(({ batch }) => Buffer.from(batch.bytes).toString());
}
