import { deepStrictEqual } from "node:assert";
import * as fc from "fast-check";
import protobuf from "protobufjs";
import { expect, test } from "vitest";
import { Writer } from "../../../collector/wire/writer.ts";
import { fuzz } from "../../support/otlp-arbitrary.ts";

/** A nested message stands in field 5 of the other. */
const type = protobuf
  .parse(`
  syntax = "proto3";
  message All {
    optional uint64 uint = 1; optional int64 int = 2; optional sint32 zigzag = 3; optional string text = 4;
    repeated All all = 5;
    optional fixed32 four = 16; optional sfixed64 eight = 17; optional double double = 2047;
    optional bytes bytes = 2048; optional int32 small = 536870911;
  }
`)
  .root.lookupType("All");

interface All {
  uint?: number;
  int?: bigint;
  zigzag?: number;
  text?: string;
  four?: number;
  eight?: bigint;
  double?: number;
  bytes?: Uint8Array;
  small?: number;
  all?: All[];
}

const sized = fc.constantFrom(126, 128, 130, 16_382, 16_384, 16_386);
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

const { all: anything } = fc.letrec<{ all: All }>((tie) => ({
  all: fc.record<All, never>(
    {
      uint: fc.maxSafeNat(),
      int: int64,
      zigzag: fc.integer(),
      // Around 127 and 16383 bytes a length takes one more byte.
      text: fc.oneof(
        fc.string({ unit: "binary" }),
        sized.map((size) => "é".repeat(size / 2)),
      ),
      four: fc.nat({ max: 2 ** 32 - 1 }),
      eight: int64,
      double: fc.double(),
      bytes: fc.oneof(
        fc.uint8Array(),
        sized.map((size) => new Uint8Array(size).fill(7)),
      ),
      small: fc.nat({ max: 2 ** 31 - 1 }),
      all: fc.array(tie("all"), { maxLength: 3, depthIdentifier: "all" }),
    },
    { requiredKeys: [] },
  ),
}));

test("what is written protobufjs reads back, however deep and however long", () => {
  fc.assert(
    fc.property(anything, fc.nat({ max: 64 }), (all, size) => {
      const writer = new Writer(size);
      write(writer, all);
      const length = writer.length;
      const bytes = writer.finish();
      expect(bytes.length).toBe(length);
      deepStrictEqual(plain(type.decode(bytes)), plain(type.fromObject(forProtobufjs(all))));
    }),
    fuzz(150),
  );
});

test("a writer starts again after finish, and what it gave out stays as it was", () => {
  const writer = new Writer();
  writer.text(1, "first");
  const first = writer.finish();
  writer.text(1, "other");
  expect(Buffer.from(writer.finish()).toString()).toBe("\n\u0005other");
  expect(Buffer.from(first).toString()).toBe("\n\u0005first");
  expect(writer.finish()).toHaveLength(0);
});

test("begin and end must match", () => {
  const writer = new Writer();
  expect(() => writer.end()).toThrow("no nested message is open");
  writer.begin(1);
  expect(() => writer.finish()).toThrow("still open");
});

test("a writer goes back to where it was, and what has been begun since is forgotten", () => {
  const writer = new Writer(1);
  writer.begin(1);
  writer.text(4, "kept");
  const before = writer.length;
  writer.begin(5);
  writer.text(4, "x".repeat(200));
  writer.end();
  writer.begin(5);
  writer.begin(5);
  writer.text(4, "gone");
  writer.backTo(before);
  writer.text(4, "too");
  writer.end();
  expect(Buffer.from(writer.finish())).toEqual(Buffer.from('\n\x0b"\x04kept"\x03too'));
});

test("raw bytes are taken as they are", () => {
  const writer = new Writer(1);
  writer.raw(Uint8Array.of(8, 1));
  writer.raw(new Uint8Array(0));
  expect([...writer.finish()]).toEqual([8, 1]);
});

function write(writer: Writer, all: All): void {
  if (all.uint !== undefined) writer.uint(1, all.uint);
  if (all.int !== undefined) writer.int64(2, all.int);
  if (all.zigzag !== undefined) writer.sint32(3, all.zigzag);
  if (all.text !== undefined) writer.text(4, all.text);
  for (const child of all.all ?? []) {
    writer.begin(5);
    write(writer, child);
    writer.end();
  }
  if (all.four !== undefined) writer.fixed32(16, all.four);
  if (all.eight !== undefined) writer.fixed64(17, all.eight);
  if (all.double !== undefined) writer.double(2047, all.double);
  if (all.bytes !== undefined) writer.bytes(2048, all.bytes);
  if (all.small !== undefined) writer.uint(536_870_911, all.small);
}

function forProtobufjs({ int, eight, all, ...rest }: All): object {
  return {
    ...rest,
    ...(int === undefined ? {} : { int: String(int) }),
    ...(eight === undefined ? {} : { eight: String(eight) }),
    ...(all ? { all: all.map(forProtobufjs) } : {}),
  };
}

function plain(message: protobuf.Message): object {
  return type.toObject(message, { longs: String, bytes: String });
}

test("a nested message that ends where the buffer does keeps its bytes", () => {
  for (let size = 1; size < 40; size++) {
    for (let before = 0; before < 30; before++) {
      const writer = new Writer(size);
      writer.raw(Buffer.alloc(before, 1));
      writer.begin(1);
      writer.raw(Buffer.from("abc"));
      writer.end();
      const expected = Buffer.concat([Buffer.alloc(before, 1), Buffer.from("\n\x03abc")]);
      expect(Buffer.from(writer.finish())).toEqual(expected);
    }
  }
});
