import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

// JavaScript that runs without being compiled, and so has no types.
const { assemble, binaryOf, modules } = (await import(
  new URL("../../../scripts/assemble.js", import.meta.url).href
)) as {
  assemble: (module: string) => Promise<string>;
  binaryOf: (module: string) => URL;
  modules: Readonly<Record<string, number>>;
};

test.each(Object.keys(modules))(
  "the binary is what the compiler makes of its source: %s",
  async (module) => {
    expect(await assemble(module)).toBe(readFileSync(binaryOf(module), "utf8"));
  },
);
