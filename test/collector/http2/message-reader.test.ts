import { describe, expect, test } from "vitest";
import { MessageReader } from "../../../collector/http2/message-reader.ts";
import { Memory } from "../../../collector/memory/memory.ts";
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
  test("a chunk is lent, so what it has of a message is copied", () => {
    const chunk = message(Buffer.alloc(100, 1));
    const { message: kept } = read([chunk]);
    chunk.fill(2);
    expect(kept).toEqual(Buffer.alloc(100, 1));
  });

  test("memory is used again for the next message", () => {
    const memory = new Memory();
    const gathered = (size: number): ArrayBufferLike => {
      const reader = new MessageReader(memory);
      const chunk = message(Buffer.alloc(size, 1));
      expect(reader.read(chunk, 0, chunk.length, takesAll)).toBeUndefined();
      const { buffer } = reader.message!;
      expect(reader.message).toEqual(Buffer.alloc(size, 1));
      reader.forget();
      return buffer;
    };
    expect(gathered(5000)).toBe(gathered(6000));
    expect(gathered(10_000_000)).toBe(gathered(10_000_001));
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
