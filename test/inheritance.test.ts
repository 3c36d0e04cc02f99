// Classes hold what they need and inherit nothing: a rule that no lint rule knows.

import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));

test("nothing but an error inherits from anything", () => {
  const files = globSync("{sdk,collector}/**/*.ts", { cwd: root });
  const heirs = files.flatMap((file) => {
    const text = readFileSync(`${root}${file}`, "utf8");
    const found = text.matchAll(/\bclass (\w+)(?:<.*>)? extends (\w+)/g);
    return [...found].map(([, heir = "", of = ""]) => ({ file, heir, of }));
  });
  const isError = (of: string): boolean =>
    of === "Error" || heirs.some(({ heir, of: next }) => heir === of && isError(next));
  expect(files.length).toBeGreaterThan(200);
  expect(heirs.filter(({ of }) => !isError(of))).toEqual([]);
});
