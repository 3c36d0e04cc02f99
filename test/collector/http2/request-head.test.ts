import { describe, expect, test } from "vitest";
import { RequestHead } from "../../../collector/http2/request-head.ts";

function headOf(...headers: readonly (readonly [string, string])[]): RequestHead {
  const head = new RequestHead();
  for (const [name, value] of headers) head.header(name, value);
  return head;
}

describe("authorization", () => {
  test("one is what it is, none is none", () => {
    expect(headOf(["authorization", "Bearer a"]).authorization).toBe("Bearer a");
    expect(headOf().authorization).toBeUndefined();
  });

  test("of two neither is believed, and a third changes nothing", () => {
    for (const count of [2, 3]) {
      const many = Array.from({ length: count }, () => ["authorization", "Bearer a"] as const);
      expect(headOf(...many).authorization).toBe("");
    }
  });
});
