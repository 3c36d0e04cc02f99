import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hiddenByBundle } from "../../sdk/bundle.ts";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "sonde-bundle-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const libraries = ["pg", "@redis/client"];
/** Real ones are larger than what is worth reading. */
const filler = "x();".repeat(5000);

function told(text: string): string | undefined {
  const file = join(folder, "app.js");
  writeFileSync(file, text);
  return hiddenByBundle(file, libraries);
}

test.each([
  [
    "esbuild",
    'var require_lib = __commonJS({\n  "node_modules/pg/lib/index.js"(exports) {}\n});\n// node_modules/pg-types/index.js\n',
    "pg",
  ],
  [
    "esbuild and pnpm",
    "__commonJS\n// ../node_modules/.pnpm/pg@8.0.0/node_modules/pg/lib/index.js\n",
    "pg",
  ],
  [
    "webpack",
    '__webpack_require__\n/***/ "./node_modules/@redis/client/dist/index.js":\n',
    "@redis/client",
  ],
  ["Vite", "__commonJSMin((exports) => {\n//#region node_modules/pg/lib/index.js\n", "pg"],
])("a bundle by %s tells which libraries it hides", (_, text, library) => {
  expect(told(text + filler)).toContain(`, ${library} cannot be; leave it outside`);
  expect(told(text + filler)).toMatch(new RegExp(`--external:${library}$`));
});

test.each([
  ["without one of ours", "__commonJS\n// node_modules/lodash/lodash.js\n"],
  ["that is none, only compiled", "var __commonJS2 = 1;\nrequire('pg')\n"],
])("a file %s is not told of", (_, text) => {
  expect(told(text + filler)).toBeUndefined();
});

test.each([
  '(b((c={exports:{}}).exports,c),c.exports);"see node_modules/lodash/README.md";',
  "var a=t[i]={exports:{}};return e[i](a,a.exports,n),a.exports",
  "const o=t[n]={id:n,loaded:!1,exports:{}};return e[n].call(o.exports,o,o.exports,i)",
])("a minified bundle does not tell what it holds, so all of it is meant: %s", (text) => {
  expect(told(text + filler)).toMatch(/, what else it holds.*--packages=external$/);
});

test("what is small, not there, or itself in node_modules is not looked at", () => {
  expect(told("__commonJS\n// node_modules/pg/lib/index.js\n")).toBeUndefined();
  expect(hiddenByBundle(join(folder, "none.js"), libraries)).toBeUndefined();
  expect(hiddenByBundle(undefined, libraries)).toBeUndefined();
});

test("megabytes in one line take no longer than others", () => {
  const text = `__commonJS "${"node_modules/".repeat(100_000)}" // ${"a/".repeat(1_000_000)}`;
  const begin = performance.now();
  told(text);
  expect(performance.now() - begin).toBeLessThan(2000);
});
