import { describe, expect, test } from "vitest";
import { decodeHuffman } from "../../../collector/http2/huffman.ts";

function decode(hex: string): string {
  const bytes = Buffer.from(hex, "hex");
  const into = Buffer.alloc(Math.ceil((bytes.length * 8) / 5));
  return into.toString("latin1", 0, decodeHuffman(bytes, 0, bytes.length, into));
}

describe("the examples of RFC 7541", () => {
  test.each([
    ["f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"],
    ["a8eb10649cbf", "no-cache"],
    ["25a849e95ba97d7f", "custom-key"],
    ["6402", "302"],
    ["d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"],
    ["9d29ad171863c78f0b97c8e9ae82ae43d3", "https://www.example.com"],
    ["", ""],
  ])("%s: %s", (hex, text) => {
    expect(decode(hex)).toBe(text);
  });
});

describe("what no encoder writes", () => {
  test.each([
    ["ffffffff", "the end of a string is in the middle of it"],
    ["64", "a string ends in the middle of a symbol"], // 011 00 100: the last is not padding
    ["6402ff", "a string ends in the middle of a symbol"], // eight bits of padding
    ["fffffffc", "the end of a string is in the middle of it"],
  ])("%s: %s", (hex, message) => {
    expect(() => decode(hex)).toThrow(message);
  });

  test("padding of seven bits is right", () => {
    expect(decode("07")).toBe("0"); // 00000 111
    expect(decode("1f")).toBe("a"); // 00011 111
  });
});
