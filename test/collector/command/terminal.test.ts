import { describe, expect, test } from "vitest";
import {
  count,
  counted,
  duration,
  readable,
  size,
  table,
  time,
} from "../../../collector/command/terminal.ts";

test("columns are as wide as they must be, numbers stand right, nothing trails", () => {
  const columns = [{ title: "output" }, { title: "items", isRight: true }, { title: "why" }];
  const rows = [
    ["jaeger", "7", ""],
    ["elasticsearch", "1,234,567", "busy"],
  ];
  expect(table(columns, rows)).toBe(
    [
      "output             items  why",
      "jaeger                 7",
      "elasticsearch  1,234,567  busy",
      "",
    ].join("\n"),
  );
  expect(table(columns, [])).toBe("output  items  why\n");
});

test("text from outside cannot move the cursor, break the line or fill the screen", () => {
  const text = table([{ title: "name" }], [["a\u001b[2Jb\nc\u202e"], ["x".repeat(1000)]]);
  expect(text.split("\n").length).toBe(4);
  expect(text).toContain("a\\u001b[2Jb\\u000ac\\u202e");
  expect(Math.max(...text.split("\n").map(({ length }) => length))).toBe(200);
});

test("numbers are grouped and nouns agree with them", () => {
  expect([0, 999, 1000, 1234567].map(count)).toEqual(["0", "999", "1,000", "1,234,567"]);
  expect([0, 1, 2].map((n) => counted(n, "batch", "batches"))).toEqual([
    "0 batches",
    "1 batch",
    "2 batches",
  ]);
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1 KiB"],
  [1024, "1 KiB"],
  [1536, "1.5 KiB"],
  [10 * 1024 + 600, "11 KiB"],
  [1000 * 1024, "1 MiB"],
  [4 * 1024 ** 3, "4 GiB"],
  [64 * 1024 ** 4, "64 TiB"],
])("%d bytes are %s", (bytes, text) => {
  expect(size(bytes)).toBe(text);
});

test.each([
  [0, "0 s"],
  [0.04, "0 s"],
  [3.14, "3.1 s"],
  [59.6, "60 s"],
  [89, "89 s"],
  [90, "1.5 min"],
  [1800, "30 min"],
  [5399, "90 min"],
  [5400, "1.5 h"],
  [172_799, "48 h"],
  [172_800, "2 days"],
])("%d seconds are %s", (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test("a time is that of the clock on the wall", () => {
  const date = new Date(2026, 0, 31, 12, 34, 56);
  expect(time(date)).toBe("2026-01-31 12:34:56");
  expect(time(date.toISOString())).toBe("2026-01-31 12:34:56");
});

describe("readable JSON", () => {
  test.each([null, true, 7, "a\nb  c", [], {}, [1, [2]], { a: { b: "c" } }])(
    "%j is itself",
    (value) => {
      expect(JSON.parse(readable(value))).toEqual(value);
      expect(readable(value).split("\n").length).toBe(1);
    },
  );

  test("what is longer than a line stands in several", () => {
    const long = "x".repeat(80);
    const value = { short: { a: 1 }, list: [{ text: long }, { text: long }], end: null };
    expect(JSON.parse(readable(value))).toEqual(value);
    expect(readable(value)).toBe(
      [
        "{",
        '  "short": { "a": 1 },',
        '  "list": [',
        `    { "text": "${long}" },`,
        `    { "text": "${long}" }`,
        "  ],",
        '  "end": null',
        "}",
      ].join("\n"),
    );
  });
});
