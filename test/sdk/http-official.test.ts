// What HTTP is used for, under OpenTelemetry's instrumentations on its own assembly and under ours. What
// differs is listed, each with its reason.

import { afterAll, beforeAll, expect, test } from "vitest";
import { appFile, startApp } from "./support/app.ts";
import { until } from "../support/until.ts";
import type { Preload } from "./support/app.ts";
import { describeSpans } from "./support/facts.ts";
import { startSink } from "./support/sink.ts";
import type { Sink } from "./support/sink.ts";

const scenarios = [
  "keep-alive",
  "head",
  "post",
  "put-by-fetch",
  "not-found",
  "failing",
  "redirect",
  "refused",
  "reset",
  "cut",
  "fetch-reset",
  "given_up",
  "fetch-given-up",
  "odd",
  "user",
  "proxied",
  "upgrade",
];

let official: Sink;
let ours: Sink;
beforeAll(async () => {
  [official, ours] = await Promise.all([runUnder("official"), runUnder("require")]);
});
afterAll(() => Promise.all([official.close(), ours.close()]));

async function runUnder(preload: Preload): Promise<Sink> {
  const sink = await startSink();
  const app = startApp(appFile("traffic/main.cjs"), {
    preload,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_METRICS_EXPORTER: "none",
      OTEL_LOGS_EXPORTER: "none",
      OTEL_NODE_ENABLED_INSTRUMENTATIONS: "http,undici,express",
      OTEL_BSP_SCHEDULE_DELAY: "50",
    },
  });
  const url = await app.url();
  for (const scenario of scenarios) await (await fetch(`${url}/run/${scenario}`)).text();
  await until("it has come", () =>
    sink.spans.some(({ attributes }) => attributes["url.path"] === "/run/upgrade"),
  );
  await app.stop();
  return sink;
}

/** What may differ: facts by their names, what each of the two says where it is always the same, and why. */
type Rule = readonly [fact: RegExp, official: string, ours: string, reason: string];

const any = "…";
const rules: readonly Rule[] = [
  [
    /server GET \/failing: (status|event 1)$/,
    any,
    any,
    "what the handler has thrown is told; OpenTelemetry's tell it on a span of the framework's, of which there is none",
  ],
  [
    /client [A-Z]+ \S+: attribute (http\.request\.method_original|url\.(path|query|scheme)|user_agent\.original)$/,
    any,
    "absent",
    "in the conventions for a client's span only if asked for, or not at all",
  ],
  [
    /client GET \/at\/end: attribute http\.request\.resend_count$/,
    "absent",
    "1",
    "the conventions count a redirect that is followed",
  ],
  [
    /attribute url\.(full|query)$/,
    any,
    any,
    "a query parameter named like a secret never leaves; user and password are not even read",
  ],
  [/attribute url\.scheme$/, '"http"', '"https"', "a proxy has said what the client used"],
  [
    /client GET \/: attribute error\.type$/,
    '"Error"',
    '"ECONNREFUSED"',
    "the code says what failed",
  ],
  [/\/slow: attribute error\.type$/, "23", '"TimeoutError"', "an error's type is no number"],
  [
    /server GET \/(slow|reset): attribute http\.response\.status_code$/,
    "200",
    "absent",
    "no status was sent",
  ],
  [
    /\/(slow|reset|cut): (attribute error\.type|status|event \d+)$/,
    any,
    any,
    "an answer that did not arrive whole has failed",
  ],
  [
    /client GET \/chat: attribute (http\.response|network)\./,
    "absent",
    any,
    "the answer to an upgrade is an answer",
  ],
  [/client GET \/chat > server GET: /, "absent", any, "a request for an upgrade is a request"],
  [
    /client HTTP \/take > server HTTP \/take: /,
    "absent",
    any,
    "a method that nobody knows is HTTP in a span's name, and ends not in as many names as there are words",
  ],
  [/client HTTP \/take > server PROPFIND \/take: /, any, "absent", "as above"],
];

test("spans are the same but where ours say what happened, or keep a secret", () => {
  const [theirs, own] = [describeSpans(official), describeSpans(ours)];
  const used = new Set<Rule>();
  const unexplained = [...new Set([...theirs.keys(), ...own.keys()])]
    .filter((fact) => theirs.get(fact) !== own.get(fact))
    .map((fact) => [fact, theirs.get(fact) ?? "absent", own.get(fact) ?? "absent"] as const)
    .filter(([fact, left, right]) => {
      const rule = rules.find(
        ([pattern, official, ours]) =>
          pattern.test(fact) && says(official, left) && says(ours, right),
      );
      if (rule) used.add(rule);
      return rule === undefined;
    });
  expect(unexplained).toEqual([]);
  expect(rules.filter((rule) => !used.has(rule))).toEqual([]);
  // The upgrade.
  expect(ours.spans.length - official.spans.length).toBe(1);
});

function says(expected: string, found: string): boolean {
  return expected === any || expected === found;
}
