import { deepStrictEqual } from "node:assert";
import * as fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, test } from "vitest";
import { Cursor, hexOf, textOf } from "../../../collector/wire/cursor.ts";
import { anyRequest, fuzz } from "../../support/otlp-arbitrary.ts";
import { decodeMessage, decodeRequest, encodeRequest, root } from "../../support/otlp.ts";

test("every value of any request reads as protobufjs reads it", () => {
  fc.assert(
    fc.property(anyRequest, ({ signal, request }) => {
      const bytes = encodeRequest(signal, request);
      const name = { traces: "Trace", metrics: "Metrics", logs: "Logs" }[signal];
      const type = root.lookupType(`Export${name}ServiceRequest`);
      deepStrictEqual(read(type, new Cursor(bytes)), decodeRequest(signal, bytes));
    }),
    fuzz(200),
  );
});

test("bytes that begin within a larger buffer are read from their own beginning", () => {
  const encoded = encodeRequest("logs", { resourceLogs: [{ schemaUrl: "somewhere" }] });
  const buffer = new Uint8Array(encoded.length + 10).fill(0xff);
  buffer.set(encoded, 7);
  const cursor = new Cursor(buffer.subarray(7, 7 + encoded.length));
  expect(read(root.lookupType("ExportLogsServiceRequest"), cursor)).toEqual({
    resourceLogs: [{ schemaUrl: "somewhere" }],
  });
});

test("a field's run is what has to be copied to keep the field", () => {
  const bytes = Uint8Array.of(0x0a, 2, 65, 66, 0x10, 0x96, 1, 0x1d, 1, 2, 3, 4);
  const cursor = new Cursor(bytes);
  const runs: number[][] = [];
  let end = 0;
  while (cursor.next()) {
    expect(cursor.fieldStart).toBe(end);
    ({ end } = cursor);
    runs.push([cursor.number, cursor.wireType, cursor.fieldStart, cursor.start, end]);
  }
  expect(runs).toEqual([
    [1, 2, 0, 2, 4],
    [2, 0, 4, 5, 7],
    [3, 5, 7, 8, 12],
  ]);
});

test("one cursor begins anew over another stretch and other bytes", () => {
  const cursor = new Cursor(Uint8Array.of(0x08, 1, 0x10, 2));
  cursor.over(2, 4);
  expect(cursor.next()).toBe(true);
  expect([cursor.number, cursor.uint()]).toEqual([2, 2]);
  expect(cursor.next()).toBe(false);
  cursor.over(0, 9, Uint8Array.of(0x19, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f));
  expect(cursor.next()).toBe(true);
  expect(cursor.double()).toBe(1);
});

describe("numbers", () => {
  const ones = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];

  test("a varint of up to 53 bits is a number", () => {
    expect(of(0x08, 0).uint()).toBe(0);
    expect(of(0x08, 0x80, 1).uint()).toBe(128);
    expect(of(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f).uint()).toBe(2 ** 53 - 1);
  });

  test("a negative int32 takes ten bytes", () => {
    expect(of(0x08, ...ones).int32()).toBe(-1);
    expect(of(0x08, 0x80, 0x80, 0x80, 0x80, 0xf8, ...ones.slice(5)).int32()).toBe(-(2 ** 31));
  });

  test("64 bits are exact, signed and unsigned, as varint and as eight bytes", () => {
    expect(of(0x08, ...ones).int64()).toBe(-1n);
    expect(of(0x08, ...ones).uint64()).toBe(2n ** 64n - 1n);
    expect(of(0x09, 1, 0, 0, 0, 0, 0, 0, 0x80).uint64()).toBe(2n ** 63n + 1n);
    expect(of(0x09, 1, 0, 0, 0, 0, 0, 0, 0x80).int64()).toBe(1n - 2n ** 63n);
  });

  test("zigzag reaches both ends of 32 bits", () => {
    expect(of(0x08, 0xff, 0xff, 0xff, 0xff, 0x0f).sint32()).toBe(-(2 ** 31));
    expect(of(0x08, 0xfe, 0xff, 0xff, 0xff, 0x0f).sint32()).toBe(2 ** 31 - 1);
    expect(of(0x08, 1).sint32()).toBe(-1);
  });

  test("field numbers above 15 have tags of two bytes", () => {
    const cursor = of(0x85, 1, 4, 3, 2, 0x81);
    expect([cursor.number, cursor.fixed32()]).toEqual([16, 0x8102_0304]);
  });
});

test.each([0, 1, 23, 24, 25, 100])(
  "a text of %d bytes is read, with and without accents",
  (size) => {
    const plain = Buffer.from(`<${"a".repeat(size)}>`);
    expect(textOf(plain, 1, 1 + size)).toBe("a".repeat(size));
    const accented = Buffer.from(`<${"a".repeat(size)}é😀>`);
    expect(textOf(accented, 1, accented.length - 1)).toBe(`${"a".repeat(size)}é😀`);
  },
);

test("reads of two byte arrays by turns do not mix", () => {
  const first = Buffer.from("é first");
  const second = new Uint8Array(Buffer.from("é second"));
  expect(textOf(first, 0, first.length)).toBe("é first");
  expect(textOf(second, 0, second.length)).toBe("é second");
  expect(hexOf(first, 0, 2)).toBe("c3a9");
  expect(hexOf(second, 3, 5)).toBe("7365");
});

test("bytes that no validation would have let pass end in an error, not in an endless walk", () => {
  const cursor = new Cursor(new Uint8Array(100).fill(0xff));
  expect(() => cursor.next()).toThrow("never validated");
});

/** On the first field. */
function of(...bytes: number[]): Cursor {
  const cursor = new Cursor(Uint8Array.from(bytes));
  cursor.next();
  return cursor;
}

/** An object such as protobufjs makes, read by Cursor alone; the types come from the .proto text. */
function read(type: protobuf.Type, cursor: Cursor): object {
  const object: Record<string, unknown> = {};
  while (cursor.next()) {
    const field = type.fieldsById[cursor.number]!.resolve();
    const values = readField(field, cursor);
    if (field.repeated) object[field.name] = [...((object[field.name] as []) ?? []), ...values];
    else [object[field.name]] = values;
  }
  return object;
}

function readField(field: protobuf.Field, cursor: Cursor): unknown[] {
  if (field.resolvedType instanceof protobuf.Type) {
    return [read(field.resolvedType, new Cursor(cursor.bytes, cursor.start, cursor.end))];
  }
  if (!field.repeated || field.type === "string") return [readScalar(field, cursor)];
  if (field.type === "uint64") return readPacked(cursor);
  const count = (cursor.end - cursor.start) / 8;
  return Array.from({ length: count }, (_, index) =>
    field.type === "double" ? cursor.doubleAt(index) : String(cursor.fixed64At(index)),
  );
}

/** Cursor leaves packed varints to its users. */
function readPacked(cursor: Cursor): string[] {
  const buckets = Buffer.concat([Uint8Array.of(0x12, cursor.end - cursor.start), cursor.slice()]);
  const { bucketCounts } = decodeMessage("ExponentialHistogramDataPoint.Buckets", buckets) as {
    bucketCounts: string[];
  };
  return bucketCounts;
}

function readScalar({ type, name }: protobuf.Field, cursor: Cursor): unknown {
  switch (type) {
    case "string":
      return cursor.text();
    case "bytes":
      return /(trace|span)Id$/i.test(name)
        ? cursor.hex()
        : Buffer.from(cursor.slice()).toString("base64");
    case "bool":
      return cursor.uint() === 1;
    case "uint32":
      return cursor.uint();
    case "fixed32":
      return cursor.fixed32();
    case "sint32":
      return cursor.sint32();
    case "double":
      return cursor.double();
    case "int64":
    case "sfixed64":
      return String(cursor.int64());
    case "uint64":
    case "fixed64":
      return String(cursor.uint64());
    default:
      return cursor.int32();
  }
}
