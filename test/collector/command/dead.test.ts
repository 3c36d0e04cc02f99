import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { idOf } from "../../../collector/output/dead-letter-file.ts";
import { type CollectorProcess, startCollector } from "../../support/collector-process.ts";
import { letter, readLetters, spanNamed, writeLetters } from "../../support/letters.ts";
import { encodeRequest } from "../../support/otlp.ts";
import { post } from "../../support/post.ts";
import { normalize, type Ran, runSonde } from "../../support/run-sonde.ts";
import { type Sink, startSink } from "../../support/sink.ts";
import { until } from "../../support/until.ts";

let dataDir: string;
let sink: Sink;
let env: Record<string, string>;
let collector: CollectorProcess | undefined;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "sonde-dead-"));
  sink = await startSink();
  writeFileSync(
    join(dataDir, "sonde.yaml"),
    `outputs:\n  archive: { type: otlp, endpoint: "${sink.url}" }\n`,
  );
  env = { SONDE_CONFIG: join(dataDir, "sonde.yaml") };
});

afterEach(async () => {
  await collector?.kill("SIGKILL");
  collector = undefined;
  await sink.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const start = async (more: Record<string, string> = {}): Promise<CollectorProcess> =>
  (collector = await startCollector({ dataDir, env: { ...env, ...more } }));

const dead = (...args: string[]): Promise<Ran> => runSonde(["dead", ...args], { dataDir, env });

const file = (output = "archive"): string => join(dataDir, "dead", `${output}.jsonl`);

async function send(name: string): Promise<void> {
  const bytes = encodeRequest("traces", spanNamed(name));
  expect(await post(collector!.otlpHttp, "traces", bytes)).toBe(200);
}

const refuse = (name: string): void => {
  sink.misbehave = (response, bytes) => {
    if (!bytes.includes(name)) return false;
    response.writeHead(400, { "content-type": "text/plain" }).end(`no ${name} here`);
    return true;
  };
};

const balance = async (): Promise<number[]> => {
  const ask = (name: string, labels: Record<string, string> = {}): Promise<number> =>
    collector!.metric(name, { output: "archive", signal: "traces", ...labels });
  return [
    await collector!.metric("sonde_log_items_total", { signal: "traces" }),
    await ask("sonde_output_items_total", { outcome: "delivered" }),
    await ask("sonde_output_items_total", { outcome: "rejected" }),
    await ask("sonde_output_waiting_items"),
    await ask("sonde_output_resent_items_total"),
  ];
};

test("what was refused is listed, shown and, once that is mended, sent again", async () => {
  await start();
  refuse("bad");
  for (const name of ["good", "bad one", "bad two"]) await send(name);
  await until("two were refused", () => existsSync(file()) && readLetters(file()).length === 2);

  const listed = await dead();
  expect(listed.status).toBe(0);
  expect(normalize(listed.stdout).replace(/[\d.]+ (KiB|B)/, "123 B")).toBe(
    [
      "output   letters  items   size  oldest               newest               reasons",
      "archive        2      2  123 B  2026-01-31 12:34:56  2026-01-31 12:34:56  bad_data 2",
      "",
    ].join("\n"),
  );

  const shown = await dead("show", "archive", "--limit", "1");
  expect(shown.status).toBe(0);
  expect(normalize(shown.stdout).replace(/position \d/, "position 2")).toBe(
    `archive: the newest 1 of 2 letters

0123456789ab  2026-01-31 12:34:56  archive  traces  1 item, 43 B, position 2
  bad_data: HTTP 400 no bad here
  {
    "resourceSpans": [
      {
        "scopeSpans": [
          {
            "spans": [
              {
                "traceId": "abababababababababababababababab",
                "spanId": "cdcdcdcdcdcdcdcd",
                "name": "bad two"
              }
            ]
          }
        ]
      }
    ]
  }
`,
  );

  refuse("bad two");
  const again = await dead("resend", "archive");
  expect(again).toEqual({
    status: 1,
    stdout: "archive: 1 letter taken (1 item), 1 refused again\n",
    stderr: "",
  });
  expect(readLetters(file())).toMatchObject([{ attempts: 2, detail: "HTTP 400 no bad two here" }]);
  expect((await dead("show")).stdout).toContain("refused 2 times");

  sink.misbehave = undefined;
  expect(await dead("resend")).toMatchObject({
    status: 0,
    stdout: "archive: 1 letter taken (1 item)\n",
  });
  expect(await dead("list")).toMatchObject({ status: 0, stdout: "no dead letters\n" });
  const arrived = sink.requests.map(({ bytes }) => bytes.toString("latin1"));
  for (const name of ["good", "bad one", "bad two"]) {
    expect(arrived.filter((bytes) => bytes.includes(name)).length).toBe(1);
  }
  expect(await balance()).toEqual([3, 1, 2, 0, 2]);
});

test("scripts get JSON, and the status says whether all was taken", async () => {
  writeLetters(file(), [letter(1), "torn"]);
  await start();
  refuse("shop");
  const list = JSON.parse((await dead("list", "--json")).stdout) as unknown;
  expect(list).toMatchObject({ outputs: [{ output: "archive", letters: 1, unreadable: 1 }] });
  const shown = JSON.parse((await dead("show", "--json")).stdout) as unknown;
  expect(shown).toMatchObject([
    { output: "archive", letters: [{ id: idOf(letter(1)), record: { resourceSpans: [{}] } }] },
  ]);
  const resent = await dead("resend", "--json");
  expect(resent.status).toBe(1);
  expect(JSON.parse(resent.stdout)).toMatchObject([
    { output: "archive", accepted: 0, refused: 1, unreadable: 1 },
  ]);
});

test("while the destination is away everything stays, and it says why", async () => {
  writeLetters(file(), [letter(1), letter(2)]);
  const before = readFileSync(file(), "utf8");
  await start();
  sink.misbehave = (response) => !!response.destroy();
  const { status, stdout } = await dead("resend");
  expect(status).toBe(1);
  expect(stdout).toMatch(/^archive: 0 letters taken \(0 items\); stopped: unreachable: /);
  expect(readFileSync(file(), "utf8")).toBe(before);
});

test("letters are dropped by their ids, or all, when somebody is sure", async () => {
  const letters = [1, 2, 3].map((position) => letter(position));
  writeLetters(file(), letters);
  await start();
  expect(await dead("drop")).toEqual({
    status: 1,
    stdout: "",
    stderr: "sonde: nothing was dropped; --yes drops without asking\n",
  });
  expect(await dead("drop", "archive", "--yes", "--id", idOf(letters[1]!))).toMatchObject({
    status: 0,
    stdout: "archive: 1 letter dropped (10 items)\n",
  });
  expect(readLetters(file()).map(({ position }) => position)).toEqual([1, 3]);
  expect(await dead("drop", "--yes", "--id", "0123456789ab")).toEqual({
    status: 1,
    stdout: "",
    stderr: "sonde: no dead letter has the id 0123456789ab\n",
  });
  expect(await dead("drop", "--yes")).toMatchObject({
    status: 0,
    stdout: "archive: 2 letters dropped (20 items)\n",
  });
});

describe("without a collector", () => {
  test("letters are listed, shown and dropped, but not sent", async () => {
    writeLetters(file(), [letter(1), letter(2)]);
    writeLetters(file("former"), [letter(1)]);
    const { stdout } = await dead("list");
    expect(stdout.split("\n").map((row) => row.split(" ", 1)[0])).toEqual([
      "output",
      "archive",
      "former",
      "",
    ]);
    expect((await dead("show", "former")).stdout).toContain(`${idOf(letter(1))}  `);
    expect(await dead("resend")).toEqual({
      status: 1,
      stdout: "",
      stderr: "sonde: the collector does not run, and it is what sends; start it\n",
    });
    expect(await dead("drop", "former", "--yes")).toMatchObject({ status: 0 });
    expect(readLetters(file()).length).toBe(2);
    expect(readLetters(file("former"))).toEqual([]);
  });

  test("one that was killed is not taken for one that runs", async () => {
    writeLetters(file(), [letter(1)]);
    await start();
    await collector?.kill("SIGKILL");
    expect(existsSync(join(dataDir, "collector.json"))).toBe(true);
    expect(await dead("list")).toMatchObject({ status: 0 });
    expect(await dead("drop", "--yes")).toMatchObject({ status: 0 });
  });

  test("one that was stopped has taken its address back", async () => {
    await start();
    await collector?.kill("SIGTERM");
    expect(existsSync(join(dataDir, "collector.json"))).toBe(false);
  });
});

test("one that cannot be asked keeps its letters to itself", async () => {
  writeLetters(file(), [letter(1)]);
  await start();
  const presence = join(dataDir, "collector.json");
  const { url: _, ...without } = JSON.parse(readFileSync(presence, "utf8")) as { url: string };
  writeFileSync(presence, JSON.stringify(without)); // as with web_port: off
  expect(await dead("list")).toMatchObject({ status: 0 });
  for (const action of ["drop", "resend"]) {
    const { status, stderr } = await dead(action, "--yes");
    expect(status).toBe(1);
    expect(stderr).toMatch(/cannot be asked: its web_port is off/);
  }
  rmSync(presence); // even if it were not known: the folder is locked
  const { status, stderr } = await dead("drop", "--yes");
  expect(status).toBe(1);
  expect(stderr).toMatch(/is in use by process/);
  expect(readLetters(file()).length).toBe(1);
});

test.each([
  [["lst"], 'no such action "lst" but list, show, resend, drop; see sonde dead --help'],
  [["show", "archive", "more"], '"more" is too much; see sonde dead --help'],
  [["show", "--limit", "0"], "--limit 0 is not 1 to 1000; see sonde dead --help"],
  [["show", "--colour"], "Unknown option '--colour'; see sonde dead --help"],
])("%j is answered with status 2", async (args, message) => {
  expect(await dead(...args)).toEqual({ status: 2, stdout: "", stderr: `sonde: ${message}\n` });
});

test("a running collector's outputs are known, whatever the command was started with", async () => {
  await start();
  writeFileSync(join(dataDir, "sonde.yaml"), "log_max_bytes: 1GiB\n");
  for (const action of ["show", "resend"]) {
    expect(await dead(action, "archive")).toMatchObject({ status: 0, stdout: "no dead letters\n" });
  }
  expect(await dead("resend", "achive")).toMatchObject({
    status: 1,
    stderr: 'sonde: there is no output "achive"; did you mean "archive"?\n',
  });
});

test("a name that no output has is answered with the one that was meant", async () => {
  expect(await dead("show", "achive")).toEqual({
    status: 1,
    stdout: "",
    stderr: 'sonde: there is no output "achive"; did you mean "archive"?\n',
  });
});
