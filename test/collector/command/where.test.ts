import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type CollectorProcess, startCollector } from "../../support/collector-process.ts";
import { attributes, encodeRequest } from "../../support/otlp.ts";
import { post } from "../../support/post.ts";
import { normalize, type Ran, runSonde } from "../../support/run-sonde.ts";
import { type Sink, startSink } from "../../support/sink.ts";
import { until } from "../../support/until.ts";

const trace = "5b8aa5a2d2c872e8321cf37308d69df2";

let dataDir: string;
let sink: Sink;
let picky: Sink;
let env: Record<string, string>;
let collector: CollectorProcess | undefined;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "sonde-where-"));
  [sink, picky] = await Promise.all([startSink(), startSink()]);
  picky.misbehave = (response) => !!response.writeHead(400).end("no");
  const lines = [
    "outputs:",
    `  jaeger: { endpoint: "${sink.url}" }`,
    `  picky: { type: otlp, endpoint: "${picky.url}" }`,
    '  archive: { type: otlp, endpoint: "http://127.0.0.1:1" }',
    `  measures: { type: otlp, endpoint: "${sink.url}", signals: [metrics] }`,
  ];
  writeFileSync(join(dataDir, "sonde.yaml"), `${lines.join("\n")}\n`);
  env = { SONDE_CONFIG: join(dataDir, "sonde.yaml"), SONDE_PROMETHEUS_PORT: "off" };
});

afterEach(async () => {
  await collector?.kill("SIGKILL");
  collector = undefined;
  await Promise.all([sink.close(), picky.close()]);
  rmSync(dataDir, { recursive: true, force: true });
});

const start = async (more: Record<string, string> = {}): Promise<CollectorProcess> =>
  (collector = await startCollector({ dataDir, env: { ...env, ...more } }));

const where = (...args: string[]): Promise<Ran> => runSonde(["where", ...args], { dataDir, env });

async function send(traceId: string, names: readonly string[]): Promise<void> {
  const spans = names.map((name, index) => ({ traceId, spanId: `0${index}`.repeat(8), name }));
  const resource = { attributes: attributes({ "service.name": "shop" }) };
  const request = { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] };
  const bytes = encodeRequest("traces", request);
  expect(await post(collector!.otlpHttp, "traces", bytes)).toBe(200);
}

const settled = (output: string): Promise<boolean> =>
  until(`${output} is done`, async () => {
    const waiting = await collector!.metric("sonde_output_waiting_items", { output });
    return waiting === 0;
  });

async function sendAll(): Promise<void> {
  await send("ab".repeat(16), ["other"]);
  await send(trace, ["GET /cart", "SELECT"]);
  await Promise.all(["jaeger", "picky", "measures"].map(settled));
  await until("archive has failed", async () => {
    const health = await fetch(`${collector?.web}/health`);
    return (await health.text()).includes("ECONNREFUSED");
  });
}

const spans = `trace ${trace}: 2 spans in 1 batch

span              service  name       received             position
0000000000000000  shop     GET /cart  2026-01-31 12:34:56  1
0101010101010101  shop     SELECT     2026-01-31 12:34:56  1

`;

/** A batch of two that is refused may be one letter or two. */
const shown = ({ stdout }: Ran): string =>
  normalize(stdout).replace(/dead letters [\da-f]{12}, [\da-f]{12}/, "dead letter 0123456789ab");

const expected = `${spans}output    outcome    spans    why
jaeger    delivered  2 spans
picky     rejected   2 spans  bad_data: HTTP 400 no (dead letter 0123456789ab)
archive   waiting    2 spans  behind 1 batch (1 item, 67 B), for 3 s; unreachable: connect ECONNREFUSED 127.0.0.1:1
measures  filtered   2 spans  it takes no traces
`;

test.each(["disk", "memory"])(
  "says what became of a trace at each output, with the log in %s",
  async (kind) => {
    await start({ SONDE_LOG: kind });
    await sendAll();
    const found = await where(trace);
    expect(found.stderr).toBe("");
    expect(shown(found)).toBe(expected);
    expect(found.status).toBe(0);
    const { stdout } = await where(trace.toUpperCase(), "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      trace_id: trace,
      span_count: 2,
      spans: [{ span_id: "0".repeat(16), service: "shop", position: 1, is_in_log: true }, {}],
      outputs: [
        { output: "jaeger", outcomes: [{ outcome: "delivered", spans: 2 }] },
        { output: "picky", outcomes: [{ outcome: "rejected", reason: "bad_data" }] },
        { output: "archive", outcomes: [{ outcome: "waiting", before_it: { batches: 1 } }] },
        { output: "measures", outcomes: [{ outcome: "filtered", reason: "not_wanted" }] },
      ],
    });
  },
);

test("the same from the folder alone, when the collector was killed", async () => {
  await start();
  await sendAll();
  await collector?.kill("SIGKILL");
  const found = await where(trace);
  expect(found.status).toBe(0);
  expect(shown(found)).toBe(expected.replace(/; unreachable.*/, ""));
});

test("a trace that nobody has, or has any more, is not found", async () => {
  await start();
  await send(trace, ["a"]);
  const unknown = await where("cd".repeat(16));
  expect(unknown).toEqual({
    status: 1,
    stdout: "",
    stderr:
      `sonde: trace ${"cd".repeat(16)} is not in the log: it never came, or every output is done ` +
      "with it and it was deleted.\n",
  });
  const { status, stdout } = await where("cd".repeat(16), "--json");
  expect(status).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ span_count: 0, spans: [] });
});

test("without a collector and without a folder there is nothing to be found", async () => {
  const { status, stderr } = await where(trace);
  expect(status).toBe(1);
  expect(stderr).toMatch(/No collector was asked; the data folder was read\.\n$/);
});

test.each([
  [[], "a trace id is missing; see sonde where --help"],
  [["5b8a"], '"5b8a" is not a trace id: 32 hexadecimal digits; see sonde where --help'],
  [[trace, trace], `"${trace}" is too much; see sonde where --help`],
])("%j is answered with status 2", async (args, message) => {
  expect(await where(...args)).toEqual({ status: 2, stdout: "", stderr: `sonde: ${message}\n` });
});

test("what does not speak our API at the configured port is not believed", async () => {
  const { status, stderr } = await runSonde(["where", trace], {
    dataDir,
    env: { ...env, SONDE_WEB_PORT: String(sink.port) },
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(/is no collector of this version/);
});

test("a collector of another folder that answers at the port is named", async () => {
  await start();
  const elsewhere = mkdtempSync(join(tmpdir(), "sonde-elsewhere-"));
  const port = new URL(collector!.web).port;
  const { stderr } = await runSonde(["dead"], {
    dataDir: elsewhere,
    env: { ...env, SONDE_WEB_PORT: port },
  });
  expect(stderr).toBe(`sonde: asked http://127.0.0.1:${port}, data in ${dataDir}\n`);
  rmSync(elsewhere, { recursive: true });
});
