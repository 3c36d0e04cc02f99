import { expect, test } from "vitest";
import { Batch } from "../../../sdk/export/batch.ts";
import { Attributes } from "../../../sdk/trace/values.ts";
import { until } from "../../support/until.ts";
import { decodeRequest } from "../../support/otlp.ts";
import type { Request } from "../../support/otlp.ts";
import { batchOf, named } from "../support/batch.ts";

interface Sent {
  readonly request: Request;
  readonly items: number;
}

function start(settings: { maxBatch?: number; delayMs?: number } = {}, isTaken = true) {
  const sent: Sent[] = [];
  const resource = new Attributes();
  resource.set("service.name", "shop", { count: 1, length: 100 });
  const batch = new Batch({
    resource: () => resource,
    settings: { maxBatch: 100, delayMs: 60_000, timeoutMs: 0, maxQueue: 0, ...settings },
    sends: [
      (body, items) => {
        sent.push({ request: decodeRequest("traces", body), items });
        return isTaken;
      },
    ],
  });
  return { batch, sent };
}

function namesIn({ request }: Sent): unknown {
  return request.resourceSpans?.map(({ resource, scopeSpans }) => [
    resource?.attributes?.[0]?.value?.stringValue,
    ...(scopeSpans ?? []).map(({ scope, spans, schemaUrl }) => [
      scope?.name,
      schemaUrl ?? "",
      ...(spans ?? []).map(({ name }) => name),
    ]),
  ]);
}

test("items are grouped by scope, below one resource, in their order", () => {
  const { batch, sent } = start();
  const http = batch.section({ name: "http", version: undefined, schemaUrl: "https://a/b" });
  const pg = batch.section({ name: "pg", version: "1", schemaUrl: undefined });
  for (const [section, name] of [
    [http, "1"],
    [http, "2"],
    [pg, "3"],
    [http, "4"],
  ] as const) {
    batch.add(section, named, name);
  }
  batch.flush();
  batch.add(pg, named, "5");
  batch.flush();
  batch.flush();
  expect(sent.map(namesIn)).toEqual([
    [["shop", ["http", "https://a/b", "1", "2", "4"], ["pg", "", "3"]]],
    [["shop", ["pg", "", "5"]]],
  ]);
  expect(sent.map(({ items }) => items)).toEqual([4, 1]);
});

test("a full batch is sent at once, by number or by size", () => {
  const { batch, sent } = start({ maxBatch: 3 });
  const section = batch.section({ name: "a", version: undefined, schemaUrl: undefined });
  for (const name of ["1", "2"]) batch.add(section, named, name);
  expect(sent).toHaveLength(0);
  batch.add(section, named, "3");
  expect(sent).toHaveLength(1);
  batch.add(section, named, "x".repeat((1 << 20) - 20));
  expect(sent).toHaveLength(1);
  batch.add(section, named, "y".repeat(40));
  expect(sent).toHaveLength(2);
});

test("what is not full is sent after the delay", async () => {
  const { batch, sent } = start({ delayMs: 5 });
  const section = batch.section({ name: "a", version: undefined, schemaUrl: undefined });
  batch.add(section, named, "1");
  await until("a request", () => sent.length === 1);
});

test("an item that cannot be encoded leaves nothing behind and is counted", () => {
  const { batch, sent } = start();
  const section = batch.section({ name: "a", version: undefined, schemaUrl: undefined });
  batch.add(section, named, "1");
  batch.add(
    section,
    (encoder, name: string) => {
      encoder.begin(0x12);
      encoder.text(0x2a, name);
      throw new Error("as asked");
    },
    "lost",
  );
  batch.add(section, named, "2");
  batch.flush();
  expect(sent.map(namesIn)).toEqual([[["shop", ["a", "", "1", "2"]]]]);
  expect(batch.dropped).toBe(1);
});

test("the memory of a request is used again when it has been read, and not before", () => {
  const bodies: Uint8Array[] = [];
  const dones: (() => void)[] = [];
  const { batch, section } = batchOf(1, [
    (body, _items, done) => {
      bodies.push(body);
      dones.push(done!);
      return true;
    },
  ]);
  const add = (size: number): ArrayBufferLike => {
    batch.add(section, named, "x".repeat(size));
    return bodies.at(-1)!.buffer;
  };
  const [first, second] = [add(40_000), add(41_000)];
  expect(second).not.toBe(first);
  dones[0]!();
  expect(add(100)).not.toBe(first); // a small one, of which many may have to wait
  expect(add(80_000)).not.toBe(first);
  expect(add(40_500)).toBe(first);
  const large = add(3 << 20);
  dones.at(-1)!();
  expect(add(41_000)).not.toBe(large);
  const names = bodies.slice(1).map((body) => {
    const [group] = decodeRequest("traces", body).resourceSpans ?? [];
    return group?.scopeSpans?.[0]?.spans?.[0]?.name?.length;
  });
  expect(names).toEqual([41_000, 100, 80_000, 40_500, 3 << 20, 41_000]);
});

test("several who read a request do not say when they are done with it", () => {
  const dones: unknown[] = [];
  const send = (_body: Uint8Array, _items: number, done?: () => void) => dones.push(done) > 0;
  const { batch, section } = batchOf(1, [send, send]);
  batch.add(section, named, "1");
  expect(dones).toEqual([undefined, undefined]);
});

test("what the sender has no room for is counted, and nothing is taken after the end", () => {
  const { batch, sent } = start({}, false);
  const section = batch.section({ name: "a", version: undefined, schemaUrl: undefined });
  for (const name of ["1", "2"]) batch.add(section, named, name);
  batch.close();
  batch.add(section, named, "3");
  batch.flush();
  expect([sent.length, batch.dropped]).toEqual([1, 2]);
});

test("a buffer that one item has stretched is not kept", () => {
  const { batch } = start();
  const section = batch.section({ name: "a", version: undefined, schemaUrl: undefined });
  batch.add(section, named, "x".repeat(3 << 20));
  expect(batch.encoder.bytes.length).toBe(0);
});
