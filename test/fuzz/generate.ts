// Requests for the comparison with foreign decoders: sound ones, the same ones changed in their structure
// or in their bytes, and by hand what is at the edge of what protobuf allows.

import { type Signal, signals } from "../../collector/wire/batch.ts";
import { Draft, mutate, varint } from "./mutate.ts";
import { mutateFields } from "./mutate-fields.ts";
import { Random } from "./random.ts";
import { protobufSeeds } from "./seeds.ts";

export interface Given {
  readonly signal: Signal;
  readonly bytes: Uint8Array;
}

export function generate(seed: number, perSignal: number): Given[] {
  const random = new Random(seed);
  return signals.flatMap((signal) => {
    const seeds = protobufSeeds(signal, random);
    const made = [...seeds, ...edges(signal)];
    const material = { random, words: [], other: () => random.of(seeds) };
    const draft = new Draft(4096);
    while (made.length < perSignal) {
      draft.fill(random.of(random.once(4) ? made : seeds));
      for (let left = random.few(4); left > 0; left--) {
        if (random.once(4)) mutate(draft, material);
        else mutateFields(draft, material);
      }
      made.push(draft.input());
    }
    return made.map((bytes) => ({ signal, bytes }));
  });
}

const tag = (number: number, wireType: number): Uint8Array =>
  varint(BigInt(number) * 8n + BigInt(wireType));

const field = (number: number, ...parts: readonly (Uint8Array | string)[]): Buffer => {
  const value = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([tag(number, 2), varint(BigInt(value.length)), value]);
};

const number = (number: number, value: bigint, leastBytes = 0): Buffer =>
  Buffer.concat([tag(number, 0), varint(BigInt.asUintN(64, value), leastBytes)]);

const eight = (number: number, value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  return Buffer.concat([tag(number, 1), bytes]);
};

const four = (number: number, value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return Buffer.concat([tag(number, 5), bytes]);
};

/** Bits of doubles: zeros, the smallest, the largest, infinities, NaNs with and without more in them. */
const doubles = [
  0n,
  1n << 63n,
  1n,
  0x7fef_ffff_ffff_ffffn,
  0x7ff0_0000_0000_0000n,
  0xfff0_0000_0000_0000n,
  0x7ff8_0000_0000_0000n,
  0xfff8_0000_0000_0001n,
  0x7ff0_0000_0000_0001n,
];

const integers = [0n, 1n, -1n, 127n, 128n, 2n ** 31n, -(2n ** 31n), 2n ** 32n - 1n, 2n ** 53n + 1n];
const extremes = [2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, 2n ** 64n - 1n];

/** Values of all kinds, each as fields of a leaf of the signal. */
const leaves: Readonly<Record<Signal, () => Buffer[]>> = {
  traces: () => [
    ...[...integers, ...extremes].flatMap((value) => [
      number(6, value), // kind
      number(10, value), // dropped_attributes_count
      eight(7, value), // start_time_unix_nano
      number(6, value, 10),
      attribute(number(3, value)),
      attribute(number(3, value, 10)),
      attribute(number(2, value)), // a bool
    ]),
    ...[0, 1, 2 ** 31, 2 ** 32 - 1].map((value) => four(16, value)),
    ...doubles.map((bits) => attribute(eight(4, bits))),
    ...[15, 16, 17, 0, 8].map((size) => field(1, Buffer.alloc(size, 7))), // trace_id
    field(2, Buffer.alloc(8)), // a span_id of zeros
    field(5, "0"), // a name that looks like a default
    ...[7, 8, 9, 0, 16].map((size) => field(4, Buffer.alloc(size, 7))), // parent_span_id
    ...texts.flatMap((text) => [field(5, text), field(1000, text), attribute(field(7, text))]),
    ...[1, 28, 29, 30, 31, 48, 49, 50, 80, 200].map((lists) => attribute(nested(lists))),
    Buffer.concat([field(15, field(2, "a")), field(5, "b"), field(15, number(3, 2n))]),
    Buffer.concat([field(15, field(2, "a")), field(15)]),
    field(9, field(1, "k"), field(2, field(1, "a")), field(2, number(3, 1n))), // a oneof in two parts
    field(
      9,
      field(1, "k"),
      field(2, field(5, field(1))),
      field(2, field(5, field(1, number(3, 1n)))),
    ),
    field(9, field(1, "k"), field(2, field(5, field(1))), field(2, field(6)), field(2, field(5))),
    field(9, field(1, "k"), number(3, 7n)), // key_strindex
    attribute(number(8, 7n)), // string_value_strindex
    attribute(Buffer.concat([field(1, "a"), number(8, 7n)])),
  ],
  metrics: () => [
    ...[...integers, ...extremes].flatMap((value) => [
      field(5, field(1, eight(6, value))), // gauge › data_points › as_int
      field(10, field(1, number(6, value))), // exponential_histogram › scale
      field(10, field(1, field(8, number(2, value)))), // › positive › bucket_counts
      field(10, field(1, field(8, field(2, varint(BigInt.asUintN(64, value), 10), varint(3n))))),
      field(9, field(1, eight(6, value), eight(6, 1n))), // histogram › bucket_counts
    ]),
    ...doubles.flatMap((bits) => [
      field(5, field(1, eight(4, bits))),
      field(9, field(1, eight(5, bits), eight(7, bits), field(7, eight(0, bits).subarray(1)))),
      field(11, field(1, eight(5, bits))), // summary › sum, which has no presence
    ]),
    field(9, field(1, field(6, Buffer.alloc(15)))),
    field(9, field(1, field(6))),
    field(10, field(1, field(8, field(2, Buffer.of(0x80))))),
    Buffer.concat([field(5, field(1)), field(7, field(1))]), // gauge, then sum
    Buffer.concat([field(5, field(1)), field(5, field(1))]),
    Buffer.concat([field(5, field(1)), field(7, field(1)), field(5, field(1))]),
    field(5, field(1, eight(4, 1n), eight(6, 2n), eight(4, 0n))),
  ],
  logs: () => [
    ...[...integers, ...extremes].flatMap((value) => [
      number(2, value),
      field(5, number(3, value)),
    ]),
    ...texts.flatMap((text) => [
      field(3, text),
      field(5, field(1, text)),
      field(5, field(7, text)),
    ]),
    ...doubles.map((bits) => field(5, eight(4, bits))),
    ...[27, 28, 29, 30, 31, 49, 50].map((lists) => field(5, nested(lists))),
    Buffer.concat([field(5, field(1, "a")), field(5, number(2, 1n))]),
    Buffer.concat([field(5, field(1, "a")), field(5)]),
  ],
};

const attribute = (value: Uint8Array): Buffer => field(9, field(1, "k"), field(2, value));

/** Lists within lists. */
function nested(lists: number): Buffer {
  let value = field(1, "deep");
  for (let level = 0; level < lists; level++) value = field(5, field(1, value));
  return value;
}

const texts = [
  "",
  "plain",
  "é😀\u0000\u007f\uffff",
  Buffer.of(0xff),
  Buffer.of(0xc0, 0x80), // overlong
  Buffer.of(0xe0, 0x80, 0x80),
  Buffer.of(0xed, 0xa0, 0x80), // half of a surrogate pair
  Buffer.of(0xf4, 0x90, 0x80, 0x80), // beyond U+10FFFF
  Buffer.of(0xc3), // cut off
  Buffer.of(0x61, 0xf0, 0x9f, 0x98),
];

/** What may stand anywhere, or nowhere. */
const oddities: readonly Uint8Array[] = [
  number(0, 1n), // field number 0
  number(100, 1n),
  number(2 ** 29 - 1, 1n),
  Buffer.concat([varint(2n ** 32n), varint(1n)]), // field number 2^29
  Buffer.concat([varint(2n ** 32n + 800n), varint(1n)]),
  Buffer.concat([varint(800n, 5), varint(1n)]), // a tag in more bytes than needed
  Buffer.concat([varint(800n, 6), varint(1n)]),
  Buffer.concat([varint(802n), varint(2n, 5), Buffer.alloc(2)]),
  Buffer.concat([varint(802n), varint(2n, 6), Buffer.alloc(2)]),
  Buffer.concat([varint(802n), varint(2n, 10), Buffer.alloc(2)]),
  Buffer.concat([varint(802n), varint(2n ** 31n)]),
  Buffer.concat([varint(802n), varint(2n ** 32n - 1n)]),
  Buffer.concat([varint(802n), varint(2n ** 32n + 1n), Buffer.alloc(1)]),
  number(100, 1n, 10),
  Buffer.concat([tag(100, 0), Buffer.alloc(9, 0xff), Buffer.of(0x01)]),
  Buffer.concat([tag(100, 0), Buffer.alloc(9, 0xff), Buffer.of(0x02)]),
  Buffer.concat([tag(100, 0), Buffer.alloc(9, 0xff), Buffer.of(0x7f)]),
  Buffer.concat([tag(100, 0), Buffer.alloc(10, 0xff), Buffer.of(0x01)]),
  Buffer.concat([tag(100, 3), tag(100, 4)]), // a group
  Buffer.concat([tag(100, 3), number(1, 1n), field(2, "a"), tag(100, 4)]),
  Buffer.concat([tag(100, 3), tag(101, 4)]),
  tag(100, 3),
  tag(100, 4),
  tag(100, 6),
  tag(100, 7),
  tag(100, 1),
  tag(100, 5),
  tag(100, 2),
  field(100),
  four(100, 1),
  eight(100, 1n),
  // A field that is known, with a type that is not its own.
  number(1, 1n),
  eight(1, 1n),
  four(2, 1),
  number(3, 1n),
  field(6, "text"),
  field(7, Buffer.alloc(8)),
];

function edges(signal: Signal): Uint8Array[] {
  const wrap = (leaf: Uint8Array): Buffer => field(1, field(2, field(2, leaf)));
  const leaf = field(signal === "logs" ? 3 : signal === "metrics" ? 1 : 5, "name");
  const leafGroup = field(
    2,
    field(1, field(1, "scope")),
    field(2, leaf),
    field(1, field(2, "1.0")),
  );
  const resource = (key: string): Buffer => field(1, field(1, field(1, key)));
  return [
    ...leaves[signal]().map(wrap),
    field(1, resource("a"), leafGroup, resource("b")), // a resource and a scope in two parts
    Buffer.concat([field(1, resource("a"), leafGroup), field(1, field(2, field(2, leaf)))]),
    ...oddities.flatMap((odd) => [
      Buffer.from(odd),
      Buffer.concat([wrap(leaf), odd]),
      field(1, odd, field(2, field(2, leaf))),
      wrap(Buffer.concat([odd, leaf])),
      wrap(Buffer.concat([leaf, odd])),
    ]),
  ];
}
