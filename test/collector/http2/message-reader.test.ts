import { describe, expect, test } from "vitest";
import { MessageReader } from "../../../collector/http2/message-reader.ts";
import { message } from "../../support/http2.ts";

const takesAll = { hold: () => undefined };

function read(chunks: readonly Buffer[]): MessageReader {
  const reader = new MessageReader();
  for (const chunk of chunks) {
    expect(reader.read(chunk, 0, chunk.length, takesAll)).toBeUndefined();
  }
  return reader;
}

describe("what it keeps", () => {
  test("most of a chunk is shared with it", () => {
    const chunk = message(Buffer.alloc(100, 1));
    const { message: kept } = read([chunk]);
    chunk.fill(2);
    expect(kept).toEqual(Buffer.alloc(100, 2));
  });

  test("little of a chunk is copied, so that it does not keep the rest alive", () => {
    const chunk = Buffer.concat([message(Buffer.alloc(100, 1)), Buffer.alloc(150)]);
    const reader = new MessageReader();
    expect(reader.read(chunk, 0, 105, takesAll)).toBeUndefined();
    chunk.fill(2);
    expect(reader.message).toEqual(Buffer.alloc(100, 1));
  });

  test("what lies across chunks is put together", () => {
    const bytes = message(Buffer.from("hello"));
    const reader = read(Array.from(bytes, (byte) => Buffer.from([byte])));
    expect(reader.message?.toString()).toBe("hello");
    expect(reader.heldBytes).toBe(5);
  });

  test("nothing until all has come", () => {
    expect(read([message(Buffer.from("hello")).subarray(0, 9)]).message).toBeUndefined();
  });
});

describe("what it asks", () => {
  test("the size, before anything of the message is kept", () => {
    const asked: number[] = [];
    const hold = (bytes: number) => {
      asked.push(bytes);
      return { code: 8, message: "no" };
    };
    const reader = new MessageReader();
    const chunk = message(Buffer.from("x"), { length: 0xffff_ffff });
    expect(reader.read(chunk, 0, chunk.length, { hold })).toEqual({ code: 8, message: "no" });
    expect(asked).toEqual([0xffff_ffff]);
    expect(reader.heldBytes).toBe(0);
  });

  test("nothing while the prefix is cut", () => {
    const hold = () => expect.unreachable();
    const reader = new MessageReader();
    expect(reader.read(message(Buffer.from("x")), 0, 4, { hold })).toBeUndefined();
  });
});
