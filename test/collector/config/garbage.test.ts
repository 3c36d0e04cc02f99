import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { outputTypes } from "../../../collector/components.ts";
import { general } from "../../../collector/config/schema.ts";
import { problems } from "./folder.ts";

// Words that the configuration knows make garbage that gets further than noise does.
const names = [
  ...Object.keys(general.shape),
  ...Object.keys(outputTypes),
  ...Object.values(outputTypes).flatMap(({ settings }) => Object.keys(settings.shape)),
  "outputs",
  "type",
  "__proto__",
  "constructor",
];
const scalar = fc.oneof(
  fc.constantFrom("off", "true", "null", "5", "-1", "1e999", ".nan", "http://h", "grpc://h:1"),
  fc.constantFrom("*a", "&a b", "!!binary x", "<<", '"', "'", "|", "@", "%", "? ", "- ", "[", "{"),
  fc.constantFrom(...Object.keys(outputTypes)),
  fc.string({ unit: "grapheme", maxLength: 20 }),
);
const name = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...names) }, fc.string());
const line = fc
  .tuple(fc.nat(4), name, scalar)
  .map(([depth, key, value]) => `${"  ".repeat(depth)}${key}: ${value}`);
const document = fc.oneof(
  fc.array(line, { maxLength: 30 }).map((lines) => lines.join("\n")),
  fc.jsonValue().map((value) => JSON.stringify({ outputs: value })),
  fc.dictionary(name, fc.jsonValue()).map((value) => JSON.stringify(value)),
  fc.string({ unit: "binary" }),
);
const variables = fc.dictionary(
  fc.oneof(
    fc
      .tuple(fc.constantFrom(...names), fc.constantFrom(...names))
      .map(([output, setting]) => `SONDE_${output}_${setting}`.toUpperCase()),
    fc.constantFrom(...names).map((setting) => `SONDE_${setting}`.toUpperCase()),
    fc.string().map((text) => `SONDE_${text}`),
  ),
  fc.oneof(scalar, fc.string({ unit: "binary" })),
);

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

describe("garbage", () => {
  it("in the file and in variables is answered by a configuration or by one-line messages", async () => {
    await fc.assert(
      fc.asyncProperty(document, variables, async (yaml, env) => {
        const told = await problems({ yaml, env }); // throws on anything but a ConfigError
        for (const message of told) {
          expect(message).not.toMatch(/[\p{Cc}\u2028\u2029]|undefined|\[object/u);
          expect(message.length).toBeLessThan(600);
        }
      }),
      { numRuns: 300 },
    );
  });

  // What is slow or deep for a parser, as long as a file may be. Far more than it takes, since the
  // machine may be busy; without the limits some of these take minutes.
  it.each(["[", "{", "? ", '"', "*a ", '- "a\n'])(
    "a file full of %j is answered soon",
    async (piece) => {
      const yaml = piece.repeat(Math.floor(131_072 / piece.length));
      expect(await timeOf(() => problems({ yaml }))).toBeLessThan(10_000);
    },
  );

  it.each([
    ["different", (index: number) => `k${index}: 1\n`],
    ["equal", () => "kk: 1\n"],
  ])("a file of %s names is answered soon", async (_, entry) => {
    const yaml = Array.from({ length: 11_000 }, (_, index) => entry(index)).join("");
    expect(await timeOf(() => problems({ yaml }))).toBeLessThan(5_000);
  });
});
