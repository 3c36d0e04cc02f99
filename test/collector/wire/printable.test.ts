import { expect, test } from "vitest";
import { printable, shorten } from "../../../collector/wire/printable.ts";

test("control characters and those for writing direction are escaped, all else stays", () => {
  expect(printable("\0\t\n\u001b\u007f\u0085\u009b\u2028\u2029\u202e\u2066")).toBe(
    String.raw`\u0000\u0009\u000a\u001b\u007f\u0085\u009b\u2028\u2029\u202e\u2066`,
  );
  expect(printable("é 漢字 👩‍🚀 \\ \" ' %")).toBe("é 漢字 👩‍🚀 \\ \" ' %");
});

test("a text is shortened to a length, and not between the halves of a pair", () => {
  expect(shorten("abcd", 4)).toBe("abcd");
  expect(shorten("abcde", 4)).toBe("abc…");
  expect(shorten("ab😀de", 4)).toBe("ab…");
  expect(shorten("a😀cde", 4)).toBe("a😀…");
});
