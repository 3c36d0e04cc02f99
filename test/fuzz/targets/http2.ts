// HTTP/2: a connection's bytes apart into frames, and header blocks (HPACK, with its Huffman code).

import { deepStrictEqual } from "node:assert";
import { type Frame, FrameReader } from "../../../collector/http2/frame-reader.ts";
import { HeaderBlock } from "../../../collector/http2/header-block.ts";
import { HeaderDecoder } from "../../../collector/http2/header-decoder.ts";
import { encodeHeaders, type Header } from "../../../collector/http2/header-encoder.ts";
import { entryOverhead } from "../../../collector/http2/header-table.ts";
import { ConnectionError, errorCodes, frameTypes } from "../../../collector/http2/protocol.ts";
import { frame } from "../../support/http2.ts";
import type { Random } from "../random.ts";
import { demand, type Target } from "../target.ts";

export const targets: readonly Target[] = [
  {
    name: "http2-frames",
    covers: ["collector/http2/frame-reader.ts", "collector/http2/header-block.ts"],
    seeds: (random) => Array.from({ length: 40 }, () => someFrames(random)),
    maxBytes: 1024,
    run: readFrames,
  },
  {
    name: "http2-headers",
    covers: [
      "collector/http2/header-decoder.ts",
      "collector/http2/header-table.ts",
      "collector/http2/huffman.ts",
    ],
    seeds: headerSeeds,
    words: [Uint8Array.of(0x20), Uint8Array.of(0x3f, 0xe1, 0x1f), Uint8Array.of(0x7f, 0x80, 0x80)],
    maxBytes: 1024,
    run: readBlocks,
  },
];

// ── frames ───────────────────────────────────────────────────────────────────────────────────────

/** Small ones, so that short inputs go past them. */
const maxPayloadBytes = 300;
const maxBlockBytes = 200;

function someFrames(random: Random): Uint8Array {
  const frames = Array.from({ length: 1 + random.below(6) }, () => {
    const payload = Uint8Array.from({ length: random.below(40) }, () => random.next());
    const type = random.of([0, 0, 1, 9, 9, random.below(12)]);
    if (payload.length > 0) payload[0] = random.below(payload.length + 1);
    return frame(type, random.of([0, 1, 4, 8, 9, 12, 0x2c]), random.below(4), payload);
  });
  return Buffer.concat(frames);
}

function readFrames(input: Uint8Array): boolean {
  const bytes = Buffer.from(input);
  const plain = plainFrames(bytes);
  for (const step of [bytes.length, 1, 5, 9, 16]) deepStrictEqual(framesIn(bytes, step), plain);
  return plain.at(-1) === "false";
}

/** What the reader says of these bytes in pieces of so many; in the end its error, or if it is in a frame. */
function framesIn(bytes: Buffer, step: number): string[] {
  const said: string[] = [];
  const block = new HeaderBlock(maxBlockBytes);
  let content = "";
  const reader = new FrameReader(
    {
      dataBegins(stream, length, isLast) {
        content = `data ${stream} ${length} ${isLast} `;
      },
      data: (chunk, start, end) => (content += chunk.toString("hex", start, end)),
      dataEnds: () => said.push(content),
      frame(frame) {
        const { type, flags, stream, bytes, start, end } = frame;
        said.push(`${type} ${flags} ${stream} ${bytes.toString("hex", start, end)}`);
        keep(block, frame);
      },
    },
    maxPayloadBytes,
  );
  try {
    for (let at = 0; at < bytes.length; at += step) {
      reader.read(Buffer.from(bytes.subarray(at, at + step)));
    }
    said.push(String(reader.isInFrame));
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    said.push(error.message);
  }
  return said;
}

function keep(block: HeaderBlock, frame: Frame): void {
  const isFirst = block.expects === 0;
  if (frame.type !== (isFirst ? frameTypes.headers : frameTypes.continuation)) return;
  try {
    if (isFirst ? !block.begin(frame) : !block.continue(frame)) return;
    const length = block.end - block.start;
    demand(block.expects === 0, () => "a whole block, and more expected");
    demand(length >= 0 && length <= maxBlockBytes, () => `a block of ${length} bytes`);
    demand(block.start >= 0 && block.end <= block.bytes.length, () => "a block out of its bytes");
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
  }
}

/** The same with all bytes at hand. */
function plainFrames(bytes: Buffer): string[] {
  const said: string[] = [];
  for (let at = 0; at < bytes.length;) {
    if (bytes.length - at < 9) return [...said, "true"];
    const [length, type, flags] = [bytes.readUIntBE(at, 3), bytes[at + 3]!, bytes[at + 4]!];
    const stream = bytes.readUInt32BE(at + 5) % 2 ** 31;
    if (length > maxPayloadBytes) {
      return [...said, `a frame of ${length} bytes, the limit is ${maxPayloadBytes}`];
    }
    const payload = bytes.subarray(at + 9, at + 9 + length);
    at += 9 + length;
    if (type === 0) {
      const isPadded = (flags & 8) !== 0 && (length === 0 || payload.length > 0);
      const padding = isPadded ? 1 + (payload[0] ?? 0) : 0;
      if (padding > length) return [...said, "DATA with more padding than payload"];
      if (at > bytes.length) return [...said, "true"];
      const content = payload.toString(
        "hex",
        isPadded ? 1 : 0,
        length - padding + Number(isPadded),
      );
      said.push(`data ${stream} ${length} ${(flags & 1) !== 0} ${content}`);
    } else if (at > bytes.length) return [...said, "true"];
    else said.push(`${type} ${flags} ${stream} ${payload.toString("hex")}`);
  }
  return [...said, "false"];
}

// ── header blocks ────────────────────────────────────────────────────────────────────────────────

const maxListBytes = 600;

/** Each block behind a byte with its length. */
const blocks = (...all: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat(all.flatMap((block) => [Uint8Array.of(block.length), block]));

function headerSeeds(): Uint8Array[] {
  const plain = encodeHeaders([
    [":method", "POST"],
    [":path", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"],
    ["authorization", "Bearer x"],
    ["te", "trailers"],
  ]);
  // RFC 7541, C.4: Huffman, three requests that build upon one another's tables.
  const coded = [
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
  ].map((hex) => Buffer.from(hex, "hex"));
  const resized = Buffer.from("203fe11f400161016261", "hex");
  return [blocks(plain), blocks(...coded), blocks(resized, Buffer.from("bebe", "hex"), plain)];
}

function readBlocks(input: Uint8Array): boolean {
  const decoder = new HeaderDecoder(maxListBytes);
  let isTaken = input.length > 0;
  for (let at = 0; at < input.length; at += 1 + input[at]!) {
    const [start, end] = [at + 1, Math.min(at + 1 + input[at]!, input.length)];
    const headers: Header[] = [];
    try {
      const result = decode(decoder, input, { start, end }, headers);
      isTaken &&= result === "complete";
      if (result === "complete") checkWritten(headers);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      demand(error.code === errorCodes.compression, () => `code ${error.code}`);
      demand(/^[\x20-\x7e]{1,200}$/.test(error.message), () => error.message);
      return false;
    }
  }
  return isTaken;
}

interface Stretch {
  readonly start: number;
  readonly end: number;
}

function decode(
  decoder: HeaderDecoder,
  bytes: Uint8Array,
  { start, end }: Stretch,
  headers: Header[],
): string {
  const header = (name: string, value: string): unknown => headers.push([name, value]);
  const result = decoder.decode(bytes, [start, end], { header });
  const sizes = headers.map(([name, value]) => name.length + value.length + entryOverhead);
  const size = sizes.reduce((sum, one) => sum + one, 0);
  demand(size <= maxListBytes, () => `headers of ${size} bytes`);
  return result;
}

/** Without the table and the Huffman code they are the same. */
function checkWritten(headers: readonly Header[]): void {
  const bytes = encodeHeaders(headers);
  const again: Header[] = [];
  const all = { start: 0, end: bytes.length };
  demand(decode(new HeaderDecoder(maxListBytes), bytes, all, again) === "complete", () => "lost");
  deepStrictEqual(again, headers);
}
