// The bridges of the loggers: what they send, and what the app prints meanwhile.

import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { appFile, runApp } from "./support/app.ts";
import type { Ended, RunOptions } from "./support/app.ts";
import { plainValue, startSink } from "./support/sink.ts";
import type { Sink } from "./support/sink.ts";

interface Run {
  readonly sink: Sink;
  readonly ended: Ended;
}

const thrown = (type: string, message: string) => ({
  "exception.type": type,
  "exception.message": message,
  "exception.stacktrace": expect.stringContaining(message) as unknown,
});

/** Severity, its text, body and attributes of what each logs both outside of a span and within. */
const expected: Readonly<Record<string, (where: string) => readonly unknown[][]>> = {
  pino: (where) => [
    [9, "info", "hello ann", { ...pinoFields, where, count: 3, isNew: true, list: [1, "b"] }],
    [
      13,
      "warn",
      "[cart] paid",
      { ...pinoFields, part: "cart", card: "[Redacted]", user: { pin: "[Redacted]", name: "ann" } },
    ],
    [
      17,
      "error",
      "no bread",
      { ...pinoFields, err: { code: "E_STOCK" }, ...thrown("OutOfStock", "no bread") },
    ],
    [21, "fatal", "ended", { ...pinoFields, id: 7, ...thrown("TypeError", "bad") }],
    [11, "notice", "between", { region: "eu", payload: { a: { b: 1 } } }],
    [17, "error", "failed", { region: "eu", payload: {}, ...thrown("RangeError", "far") }],
    [9, "info", "shaped", { severity: "info", request: "GET /x", shaped: true }],
    [9, "info", "only text", { severity: "info", shaped: true }],
    [
      9,
      "info",
      "correlated by the app",
      { severity: "info", trace_id: "the app's own", shaped: true },
    ],
  ],
  winston: (where) => [
    [9, "info", "hello ann", { service: "shop", where, card: "***" }],
    [13, "warn", "paid", { service: "shop", part: "cart", count: 3, deep: { a: [1] } }],
    [
      17,
      "error",
      "failed no bread",
      { service: "shop", code: "E_STOCK", ...thrown("OutOfStock", "no bread") },
    ],
    [17, "error", "bad", { service: "shop", ...thrown("TypeError", "bad") }],
    [9, "info", "plain", { id: 5 }],
    [9, "info", "pretty", {}],
    [9, "info", "copied", {}],
  ],
  bunyan: (where) => [
    [9, "info", "hello ann", { name: "shop", part: "cart", where, user: "ann" }],
    [13, "warn", "paid", { name: "shop", part: "cart", deep: { a: 1 } }],
    [
      17,
      "error",
      "failed",
      { name: "shop", part: "cart", err: { code: "E_STOCK" }, ...thrown("Error", "no bread") },
    ],
  ],
  console: (where) => [
    [9, "info", `hello ${where} { count: 3 }`, {}],
    [
      17,
      "error",
      expect.stringMatching(/^failed: .*no bread\n/) as unknown,
      thrown("OutOfStock", "no bread"),
    ],
    [13, "warn", "paid", {}],
    [5, "debug", "seen", {}],
  ],
};
const pinoFields = { name: "shop", mixed: 1 };

describe.each(["main.cjs", "main.mjs"])("%s", (file) => {
  test.each(Object.keys(expected))(
    "%s: each line is sent once, with severity, fields and error, in its span",
    async (logger) => {
      const { sink, ended } = await run(file, { args: [logger] });
      expect(ended.code).toBe(0);
      const [span] = sink.spans;
      const records = sink.logs.map((record) => [
        record.severityNumber,
        record.severityText,
        plainValue(record.body),
        record.attributes,
        record.traceId === span?.traceId && record.spanId === span?.spanId,
        record.scope,
      ]);
      const lines = (where: string, isInSpan: boolean) =>
        expected[logger]?.(where).map((line) => [...line, isInSpan, `sonde/${logger}`]) ?? [];
      expect(records).toEqual([...lines("outside", false), ...lines("inside", true)]);
    },
  );
});

describe.each(["pino", "winston", "bunyan", "console"])("what %s prints", (logger) => {
  let alone: readonly string[];
  beforeAll(
    async () =>
      void (alone = linesOf((await run("main.cjs", { args: [logger], preload: "none" })).ended)),
  );

  test("is the same to the byte with SONDE_LOG_IDS=false", async () => {
    const { ended } = await run("main.cjs", { args: [logger], env: { SONDE_LOG_IDS: "false" } });
    expect(linesOf(ended)).toEqual(alone);
  });

  test("gains ids at the end of lines of JSON that were logged in a span, and nothing else", async () => {
    const { sink, ended } = await run("main.cjs", { args: [logger] });
    const [span] = sink.spans;
    const ids = `"trace_id":"${span?.traceId}","span_id":"${span?.spanId}","trace_flags":"01"`;
    const lines = linesOf(ended);
    const middle = lines.length / 2;
    const isJson = (line: string) => line.startsWith("{") && !line.includes("the app's own");
    const added = alone.map((line, index) =>
      index >= middle && isJson(line) ? `${line.slice(0, -1)},${ids}}` : line,
    );
    expect(lines).toEqual(added);
  });
});

test("worker threads send their logs, and the threads of pino's transports have no SDK", async () => {
  const { sink, ended } = await run("beside.cjs", { args: ["threads"] });
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  expect(ended.stdout).toContain("main: by way of a transport\n");
  expect(new Set(sink.logs.map(({ body }) => plainValue(body)))).toEqual(
    new Set(["by way of a transport", "in a thread"]),
  );
  expect(sink.logs).toHaveLength(2);
  expect(new Set(sink.logs.map(({ resource }) => resource["service.instance.id"])).size).toBe(2);
});

test("several copies of a library are bridged, wherever and by whichever path they are loaded", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sonde-copies-"));
  const original = fileURLToPath(new URL("../../node_modules/bunyan", import.meta.url));
  // As npm, pnpm and an app that has vendored it lay them out.
  const stored = join(folder, "node_modules/.pnpm/bunyan@2.0.5/node_modules/bunyan");
  const nested = join(folder, "node_modules/some-package/node_modules/bunyan");
  for (const copy of [stored, nested]) cpSync(original, copy, { recursive: true });
  symlinkSync(stored, join(folder, "node_modules/bunyan"));
  const main = join(folder, "main.mjs");
  writeFileSync(
    main,
    `import { createRequire } from "node:module";
    import linked from "bunyan";
    const nested = createRequire(import.meta.url)(${JSON.stringify(nested)});
    linked.createLogger({ name: "linked" }).info("from the linked one");
    nested.createLogger({ name: "nested" }).info("from the nested one");`,
  );
  const sink = await startSink();
  const ended = await runApp(main, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url } });
  await sink.close();
  rmSync(folder, { recursive: true });
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  expect(sink.logs.map(({ body }) => plainValue(body))).toEqual([
    "from the linked one",
    "from the nested one",
  ]);
});

test("what a transport to OpenTelemetry sends already is not sent a second time", async () => {
  const { sink, ended } = await run("beside.cjs", { args: ["beside"] });
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  expect(sink.logs).toEqual([]);
});

async function run(file: string, options: RunOptions): Promise<Run> {
  const sink = await startSink();
  const ended = await runApp(appFile(`logs/${file}`), {
    ...options,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, ...options.env },
  });
  await sink.close();
  return { sink, ended };
}

/** Without what is another one in each run: when, by which process, and through which calls. */
function linesOf({ stdout, stderr }: Ended): readonly string[] {
  return `${stdout}${stderr}`
    .replaceAll(/"(time|pid)":("[^"]*"|\d+)/g, '"$1":0')
    .replaceAll(/"stack":"(\\.|[^"\\])*"/g, '"stack":""')
    .replaceAll(/\n {4}at .*/g, "")
    .trimEnd()
    .split("\n");
}
