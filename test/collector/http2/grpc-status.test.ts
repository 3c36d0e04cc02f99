import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeBinary,
  headersOfStatus,
  nameOfCode,
  percentDecode,
  percentEncode,
} from "../../../collector/http2/grpc-status.ts";

describe("grpc-message", () => {
  test.each([
    ["plain text", "plain text"],
    ["100 %", "100 %25"],
    ["größer als\n1 €", "gr%C3%B6%C3%9Fer als%0A1 %E2%82%AC"],
  ])("%j is sent as %s", (text, sent) => {
    expect(percentEncode(text)).toBe(sent);
    expect(percentDecode(sent)).toBe(text);
  });

  test("any text comes through", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(percentDecode(percentEncode(text))).toBe(text);
      }),
    );
  });

  test.each(["%", "%2", "%zz", "a%2"])("%s, which is no code, stays as it is", (text) => {
    expect(percentDecode(text)).toBe(text);
  });
});

test("a code is named as people know it", () => {
  expect([0, 8, 16, 99].map(nameOfCode)).toEqual([
    "OK",
    "RESOURCE_EXHAUSTED",
    "UNAUTHENTICATED",
    "99",
  ]);
});

test("what is too long for a client's headers is cut or left out", () => {
  const long = headersOfStatus({
    code: 3,
    message: "ü".repeat(2_000),
    details: Buffer.alloc(2_049),
  });
  expect(long.map(([name]) => name)).toEqual(["grpc-status", "grpc-message"]);
  expect(long[1]?.[1].length).toBe(512 * 6);
  const short = headersOfStatus({ code: 3, message: "", details: Buffer.alloc(2_048, 1) });
  expect(short.map(([name]) => name)).toEqual(["grpc-status", "grpc-status-details-bin"]);
  expect(decodeBinary(short[1]![1])).toEqual(Buffer.alloc(2_048, 1));
});
