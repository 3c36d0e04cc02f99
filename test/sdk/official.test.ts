// The oracle: one app under sonde/register and under OpenTelemetry's own assembly. What the two send is the
// same, attribute by attribute, but for the differences listed here, each with its reason. One that is not
// listed fails, and so does one that is listed and gone.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../support/until.ts";
import { appFile, startApp } from "./support/app.ts";
import type { Preload } from "./support/app.ts";
import {
  describeLogs,
  describeMetrics,
  describeResources,
  describeSpans,
  differencesBetween,
} from "./support/facts.ts";
import type { Facts } from "./support/facts.ts";
import { startSink } from "./support/sink.ts";
import type { Sink } from "./support/sink.ts";

const { version } = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
) as { readonly version: string };

type Difference = readonly [fact: string, official: string, ours: string, reason: string];

const order = "remote b7ad6b7169203331 > server POST /orders/:id";
const lookup = `${order} > internal price > client GET /stock/bread`;
const stockUrl = "http://127.0.0.1:…/stock/bread";
const isSecret = "a query parameter named like a secret never leaves the app";

const isThrown =
  "what the handler has thrown; OpenTelemetry's tell it on a span of the framework's, of which there is none";

const ofSecrets: readonly Difference[] = [
  [
    `${lookup} > server GET /stock/:id: attribute url.query`,
    '"token=abc&page=2"',
    '"token=REDACTED&page=2"',
    isSecret,
  ],
  [
    `${lookup}: attribute url.full`,
    `"${stockUrl}?token=abc&page=2"`,
    `"${stockUrl}?token=REDACTED&page=2"`,
    isSecret,
  ],
  [`${order}: attribute url.query`, '"page=1&api_key=abc"', '"page=1&api_key=REDACTED"', isSecret],
];

const fetchedQuery = `${lookup}: attribute url.query`;
const ofSpans: readonly Difference[] = [
  ["server GET /fail: event 1", "absent", expect.stringContaining('"as asked"'), isThrown],
  ["server GET /fail: status", '[2,""]', '[2,"as asked"]', isThrown],
  ...ofSecrets,
  ...[
    [`${lookup}: attribute http.request.method_original`, '"GET"'],
    [`${lookup}: attribute url.path`, '"/stock/bread"'],
    [fetchedQuery, '"?token=abc&page=2"'],
    [`${lookup}: attribute url.scheme`, '"http"'],
    [`${lookup}: attribute user_agent.original`, '"node"'],
  ].map(([fact = "", value = ""]): Difference => [
    fact,
    value,
    "absent",
    "of fetch alone; in the conventions for a client's span only if asked for, or not at all",
  ]),
];

const ofReferenceSpans: readonly Difference[] = [
  ...ofSecrets,
  [fetchedQuery, '"?token=abc&page=2"', '"?token=REDACTED&page=2"', isSecret],
];

const ask = '"http.request.method":"GET"';
const server = '"server.address":"127.0.0.1","server.port":…';
const answer = `"http.response.status_code":200,"network.protocol.version":"1.1",${server}`;
const failure = `{"error.type":"404",${ask},"http.response.status_code":404,"network.protocol.version":"1.1",${server}} 1`;

const ofMetrics: readonly Difference[] = [
  [
    "metric http http.client.request.duration: points",
    JSON.stringify([failure, `{${ask},${answer},"url.scheme":"http"} 1`]),
    JSON.stringify([failure, `{${ask},${answer}} 1`]),
    "the scheme, of fetch alone, is in the conventions only if asked for",
  ],
];
const isBridge =
  "a bridge of ours, since OpenTelemetry's parses each line again and leaves out what it cannot patch";

const ofLogs: readonly Difference[] = ["failed", "ordered"].map((body) => [
  `log ${body}: scope`,
  '"@opentelemetry/instrumentation-pino"',
  '"sonde/pino"',
  isBridge,
]);

const ofBothResources: readonly Difference[] = [
  [
    "resource: host.id",
    "string",
    "absent",
    "found by reading files or starting programs, which nothing that is sent may wait for",
  ],
  [
    "resource: process.command_args",
    "object",
    "absent",
    "a command line is where people put secrets",
  ],
  [
    "resource: process.executable.name",
    JSON.stringify(process.execPath),
    '"node"',
    "OpenTelemetry's is the process title, a path here; the conventions ask for the file's name",
  ],
  ["resource: process.owner", "string", "absent", "the name of a person's account, in many places"],
];

const isReserved =
  "by the conventions the name opentelemetry is reserved for OpenTelemetry's own SDK";
const ofResources: readonly Difference[] = [
  ...ofBothResources,
  ["resource: telemetry.sdk.name", '"opentelemetry"', '"sonde"', isReserved],
  ["resource: telemetry.sdk.version", '"3.0.0"', `"${version}"`, isReserved],
];

const isDistribution = "by the conventions for whoever distributes OpenTelemetry's SDK";
const ofReferenceResources: readonly Difference[] = [
  ...ofBothResources,
  ["resource: telemetry.distro.name", "absent", '"sonde"', isDistribution],
  ["resource: telemetry.distro.version", "absent", `"${version}"`, isDistribution],
];

let official: Sink;
let ours: Sink;
let reference: Sink;
beforeAll(async () => {
  [official, ours] = await Promise.all([runUnder("official"), runUnder("require")]);
  reference = await runUnder("require", { SONDE_ENGINE: "opentelemetry" });
});
afterAll(() => Promise.all([official.close(), ours.close(), reference.close()]));

test("spans are the same but for secrets and what no convention asks for", () => {
  expect(differencesOf(describeSpans)).toEqual(withoutReasons(ofSpans));
  expect([official.spans.length, ours.spans.length]).toEqual([7, 7]);
});

test("log records are the same but for who has bridged them", () => {
  expect(differencesOf(describeLogs)).toEqual(withoutReasons(ofLogs));
  expect([official.logs.length, ours.logs.length]).toEqual([2, 2]);
});

test("metrics are the same but for the scheme of a client", () => {
  expect(describeMetrics(official).size).toBeGreaterThan(50);
  expect(differencesOf(describeMetrics)).toEqual(withoutReasons(ofMetrics));
});

test("resources are the same but for what is private, slow or wrong", () => {
  expect(differencesOf(describeResources)).toEqual(withoutReasons(ofResources));
});

test("SONDE_ENGINE=opentelemetry sends what OpenTelemetry's own assembly sends, but for what is listed", () => {
  expect(differencesOf(describeSpans, reference)).toEqual(withoutReasons(ofReferenceSpans));
  expect(differencesOf(describeLogs, reference)).toEqual(withoutReasons(ofLogs));
  expect(differencesOf(describeMetrics, reference)).toEqual([]);
  expect(differencesOf(describeResources, reference)).toEqual(withoutReasons(ofReferenceResources));
});

async function runUnder(
  preload: Preload,
  env: Readonly<Record<string, string>> = {},
): Promise<Sink> {
  const sink = await startSink();
  const app = startApp(appFile("official/main.cjs"), {
    preload,
    env: {
      ...env,
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_METRIC_EXPORT_INTERVAL: "100",
      OTEL_SERVICE_NAME: "orders",
      OTEL_RESOURCE_ATTRIBUTES: "team=shop",
      OTEL_NODE_RESOURCE_DETECTORS: "all",
      SONDE_PROCESS_METRICS: "false", // OpenTelemetry's has none of these
      OTEL_NODE_ENABLED_INSTRUMENTATIONS: "http,undici,express,pino,runtime-node",
    },
  });
  const url = await app.url();
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await fetch(`${url}/orders/bread?page=1&api_key=abc`, {
    method: "POST",
    headers: { traceparent, tracestate: "vendor=1", "content-type": "application/json" },
    body: '{"count":2}',
  });
  await fetch(`${url}/fail`);
  // These are measured over some turns of the event loop; a process that ends sooner has none.
  const late = ["nodejs.eventloop.delay.max", "v8js.gc.duration"];
  await until("the late metrics come", () =>
    late.every((name) => sink.metrics.some((metric) => metric.name === name)),
  );
  const { stderr } = await app.stop();
  expect(stderr).toBe("");
  return sink;
}

function differencesOf(
  describe: (sink: Sink) => Facts,
  sink = ours,
): readonly (readonly string[])[] {
  return differencesBetween(describe(official), describe(sink));
}

function withoutReasons(differences: readonly Difference[]): readonly (readonly string[])[] {
  return differences
    .map(([fact, theirs, own]) => [fact, theirs, own])
    .toSorted(([one = ""], [other = ""]) => (one < other ? -1 : 1));
}
