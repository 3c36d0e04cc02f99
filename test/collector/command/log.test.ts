import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type CollectorProcess, startCollector } from "../../support/collector-process.ts";
import { letter, writeLetters } from "../../support/letters.ts";
import { sampleBatch } from "../../support/otlp.ts";
import { post } from "../../support/post.ts";
import { normalize, type Ran, runSonde } from "../../support/run-sonde.ts";
import { type Sink, startSink } from "../../support/sink.ts";
import { until } from "../../support/until.ts";

let dataDir: string;
let sink: Sink;
let env: Record<string, string>;
let collector: CollectorProcess | undefined;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "sonde-log-"));
  sink = await startSink();
  const lines = [
    "outputs:",
    `  jaeger: { endpoint: "${sink.url}" }`,
    '  archive: { type: otlp, endpoint: "http://127.0.0.1:1" }',
  ];
  writeFileSync(join(dataDir, "sonde.yaml"), `${lines.join("\n")}\n`);
  env = { SONDE_CONFIG: join(dataDir, "sonde.yaml"), SONDE_PROMETHEUS_PORT: "off" };
});

afterEach(async () => {
  await collector?.kill("SIGKILL");
  collector = undefined;
  await sink.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const log = (...args: string[]): Promise<Ran> => runSonde(["log", ...args], { dataDir, env });

const folder = (): string => join(dataDir, "log");

const state = (): unknown =>
  readdirSync(folder()).map((name) => {
    const { mtimeMs, size } = statSync(join(folder(), name));
    return [name, mtimeMs, size, readFileSync(join(folder(), name), "hex")];
  });

async function fill(): Promise<void> {
  collector = await startCollector({ dataDir, env });
  for (const [signal, items] of [
    ["traces", 3],
    ["logs", 1200],
    ["metrics", 5],
  ] as const) {
    const { bytes } = sampleBatch(signal, { items });
    expect(await post(collector.otlpHttp, signal, bytes)).toBe(200);
  }
  const running = collector;
  await until("jaeger is done", async () => {
    const waiting = await running.metric("sonde_output_waiting_items", { output: "jaeger" });
    return waiting === 0;
  });
}

const golden = (use: string, more = ""): string =>
  `log 0123456789abcdef in DATA/log, ${use}
405 KiB of 4 GiB (log_max_bytes)

segment                       size  positions  batches  spans  points  records  first                last
0000000000000000.segment  405 KiB  0–2              3      3       5    1,200  2026-01-31 12:34:56  2026-01-31 12:34:56

output   position  delivered  filtered  rejected  dropped  waiting
archive         -          -         -         -        -  3 batches, 1,208 items, 405 KiB, for 3 s
jaeger          3          3     1,205         0        0  nothing
${more}`.replaceAll("405 KiB", "SIZE");

const shown = ({ stdout }: Ran): string =>
  normalize(stdout, { [dataDir]: "DATA" }).replaceAll(/\d+ KiB/g, "SIZE");

test("shows segments, where each output stands, and dead letters; a collector may run", async () => {
  await fill();
  const before = state();
  const running = await log();
  expect(state()).toEqual(before);
  expect(running).toMatchObject({ status: 0, stderr: "" });
  expect(
    shown(running)
      .replaceAll(/ +size/g, " size")
      .replaceAll(/ +SIZE/g, " SIZE"),
  ).toBe(
    golden("in use by process 4711")
      .replaceAll(/ +size/g, " size")
      .replaceAll(/ +SIZE/g, " SIZE"),
  );
  writeLetters(join(dataDir, "dead", "jaeger.jsonl"), [letter(1)]);
  await collector?.kill("SIGTERM");
  const stopped = shown(await log());
  expect(stopped).toContain("DATA/log, not in use\n");
  expect(stopped).toMatch(/\n\ndead letters: jaeger \S+( KiB)?; see sonde dead list\n$/);
});

test("scripts get JSON", async () => {
  await fill();
  const { status, stdout } = await log("--json");
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    folder: folder(),
    used_by_process: collector?.pid,
    max_bytes: 4 * 1024 ** 3,
    next_position: 3,
    segments: [
      { file: "0000000000000000.segment", from: 0, up_to: 3, batches: 3, items: { logs: 1200 } },
    ],
    readers: [
      {
        name: "archive",
        is_configured: true,
        is_damaged: false,
        behind: { batches: 3, items: { traces: 3, metrics: 5, logs: 1200 } },
      },
      {
        name: "jaeger",
        position: 3,
        behind: { batches: 0, bytes: 0 },
        books: { delivered: 3, filtered: 1205, rejected: 0, dropped: 0 },
      },
    ],
    damages: [],
  });
});

test("damage is named with its place and what it cost, and is status 1", async () => {
  await fill();
  await collector?.kill("SIGKILL");
  const segment = join(folder(), "0000000000000000.segment");
  const bytes = readFileSync(segment);
  bytes[150]! ^= 1; // in the spans
  writeFileSync(segment, Buffer.concat([bytes, Buffer.from("torn")]));
  const { status, stdout } = await log();
  expect(status).toBe(1);
  expect(stdout).toMatch(
    /\ndamage: 0000000000000000.segment at byte 72: [\d,]+ bytes cannot be read: 1 batch lost \(3 spans\)\n/,
  );
  expect(stdout).toMatch(
    /\n0000000000000000.segment at byte \d+: 4 bytes that a crash left behind; nothing that was acknowledged\n$/,
  );
});

test("an output that is configured no more is told apart", async () => {
  await fill();
  await collector?.kill("SIGTERM");
  writeFileSync(join(dataDir, "sonde.yaml"), "log_max_bytes: 1GiB\n");
  const { stdout } = await log();
  expect(stdout).toMatch(/^archive \(not configured\) /m);
});

test("while a collector runs its outputs count, whatever the command itself was started with", async () => {
  await fill();
  writeFileSync(join(dataDir, "sonde.yaml"), "log_max_bytes: 1GiB\n");
  const { stdout } = await log();
  expect(stdout).toMatch(/^archive /m);
  expect(stdout).not.toContain("not configured");
});

test("where no collector has run there is no log, which is status 1", async () => {
  expect(await log()).toEqual({
    status: 1,
    stdout: "",
    stderr: `sonde: there is no log in ${folder()}: no collector has run with this data_dir\n`,
  });
});

test("wrong settings are status 2, and so is what the command does not know", async () => {
  writeFileSync(join(dataDir, "sonde.yaml"), "log_max_bites: 1\n");
  const { status, stderr } = await log();
  expect(status).toBe(2);
  expect(stderr).toContain('did you mean "log_max_bytes"?');
  expect(await log("archive")).toMatchObject({
    status: 2,
    stderr: 'sonde: "archive" is too much; see sonde log --help\n',
  });
});
