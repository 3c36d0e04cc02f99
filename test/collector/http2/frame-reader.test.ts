import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FrameReader } from "../../../collector/http2/frame-reader.ts";
import { frame } from "../../support/http2.ts";

const limit = 16_384;

/** What the reader says of these bytes, the pieces of DATA put together again. */
function read(chunks: readonly Buffer[]): string[] {
  const said: string[] = [];
  let content = "";
  const reader = new FrameReader(
    {
      dataBegins(stream, length, isLast) {
        content = `data ${stream} ${length} ${isLast} `;
      },
      data(chunk, start, end) {
        expect(end).toBeGreaterThan(start);
        content += chunk.toString("hex", start, end);
      },
      dataEnds: () => said.push(content),
      frame({ type, flags, stream, bytes, start, end }) {
        said.push(`${type} ${flags} ${stream} ${bytes.toString("hex", start, end)}`);
      },
    },
    limit,
  );
  for (const chunk of chunks) reader.read(chunk);
  said.push(String(reader.isInFrame));
  return said;
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].toSorted(
    (a, b) => a - b,
  );
  const edges = [0, ...places, bytes.length];
  return edges.slice(1).map((end, index) => Buffer.from(bytes.subarray(edges[index], end)));
}

const anyFrame = fc
  .record({
    type: fc.integer({ min: 0, max: 12 }),
    flags: fc.constantFrom(0, 1, 4, 5, 0x20),
    stream: fc.integer({ min: 0, max: 0x7fff_ffff }),
    payload: fc.uint8Array({ maxLength: 60 }),
    padding: fc.option(fc.integer({ min: 0, max: 30 })),
  })
  .map(({ type, flags, stream, payload, padding }) =>
    padding === null
      ? frame(type, flags, stream, Buffer.from(payload))
      : frame(
          type,
          flags | 8,
          stream,
          Buffer.from([padding, ...payload, ...Buffer.alloc(padding)]),
        ),
  );

test("however the bytes are cut, the frames are the same", () => {
  fc.assert(
    fc.property(
      fc.array(anyFrame, { maxLength: 8 }),
      fc.array(fc.nat({ max: 1_000 }), { maxLength: 40 }),
      (frames, places) => {
        const bytes = Buffer.concat(frames);
        const whole = read([bytes]);
        expect(whole.length).toBe(frames.length + 1);
        expect(read(cut(bytes, places))).toEqual(whole);
        expect(read(Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(whole);
      },
    ),
  );
});

describe("DATA", () => {
  test("padding is left out, but counts", () => {
    const padded = frame(0, 8 | 1, 3, Buffer.from([2, 0xaa, 0xbb, 0, 0]));
    expect(read([padded])).toEqual(["data 3 5 true aabb", "false"]);
  });

  test("nothing but padding", () => {
    expect(read([frame(0, 8, 3, Buffer.from([2, 0, 0]))])).toEqual(["data 3 3 false ", "false"]);
  });

  test.each([
    ["no room for the length of the padding", frame(0, 8, 3, Buffer.alloc(0))],
    ["more padding than payload", frame(0, 8, 3, Buffer.from([2, 0]))],
  ])("%s ends the connection", (_, bytes) => {
    expect(() => read([bytes])).toThrow("more padding than payload");
  });

  test("comes in pieces of its chunk, without a copy", () => {
    const chunk = frame(0, 0, 1, Buffer.from("abc"));
    const reader = new FrameReader(
      {
        dataBegins: () => {},
        data: (given) => expect(given).toBe(chunk),
        dataEnds: () => {},
        frame: () => {},
      },
      limit,
    );
    reader.read(chunk);
    expect.assertions(1);
  });
});

test("a frame at the limit is taken, a larger one ends the connection before it has come", () => {
  expect(read([frame(9, 0, 1, Buffer.alloc(limit))]).length).toBe(2);
  const head = frame(9, 0, 1, Buffer.alloc(limit + 1)).subarray(0, 9);
  expect(() => read([head])).toThrow("a frame of 16385 bytes, the limit is 16384");
});
