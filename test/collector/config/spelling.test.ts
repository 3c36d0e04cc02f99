import { describe, expect, it } from "vitest";
import { closest } from "../../../collector/config/spelling.ts";

const known = ["loki", "jaeger", "otlp", "log_max_bytes", "elasticsearch", "web_port"];

describe("the nearest name", () => {
  it.each([
    ["lokki", "loki"], // one letter too many
    ["lki", "loki"], // one missing
    ["lomi", "loki"], // one wrong
    ["olki", "loki"], // two swapped
    ["Loki", "loki"],
    ["logMaxBytes", "log_max_bytes"],
    ["web-port", "web_port"],
    ["elasticseach", "elasticsearch"],
    ["elstcserch", "elasticsearch"], // three missing
  ])("of %s is %s", (word, meant) => {
    expect(closest(word, known)).toBe(meant);
  });

  it.each(["", "lo", "loooo", "kafka", "elstcserh", "x".repeat(65)])("of %j is none", (word) => {
    expect(closest(word, known)).toBeUndefined();
  });

  it("is the one with the fewest slips", () => {
    expect(closest("ports", ["poets", "port", "parts"])).toBe("poets");
    expect(closest("port_s", ["poets", "port_", "parts"])).toBe("port_");
  });

  it("is looked for in words of 64 letters, not in longer ones", () => {
    expect(closest("x".repeat(63), ["x".repeat(64)])).toBe("x".repeat(64));
    expect(closest("x".repeat(64), ["x".repeat(65)])).toBeUndefined();
  });
});
