// Against a server as Jaeger's, in this process and as an app sees it.

import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ROOT_CONTEXT, SpanKind } from "@opentelemetry/api";
import { SamplingDecision } from "@opentelemetry/sdk-trace";
import { afterEach, expect, test } from "vitest";
import { officialSampler } from "../../../sdk/sampling/official.ts";
import { samplerOf } from "../../../sdk/sampling/sampler.ts";
import { readSettings } from "../../../sdk/settings.ts";
import { appFile, runApp, startApp } from "../support/app.ts";
import { until } from "../../support/until.ts";
import { startSink } from "../support/sink.ts";

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function startStrategies(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await until("it has come so far", () => server.listening);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on TCP
}

const share = (samplingRate: number): string =>
  JSON.stringify({ strategyType: "PROBABILISTIC", probabilisticSampling: { samplingRate } });

const environment = (url: string, more = ""): Record<string, string> => ({
  OTEL_SERVICE_NAME: "a shop",
  OTEL_TRACES_SAMPLER: "jaeger_remote",
  OTEL_TRACES_SAMPLER_ARG: `endpoint=${url},pollingIntervalMs=20${more}`,
});

function samplerAt(url: string, more?: string): () => boolean {
  const sampler = officialSampler(samplerOf(readSettings(environment(url, more)).settings));
  const attempt = () =>
    sampler.shouldSample(ROOT_CONTEXT, "1".padStart(32, "f"), "GET", SpanKind.SERVER, {}, []);
  return () => attempt().decision === SamplingDecision.RECORD_AND_SAMPLED;
}

test("the service is asked for, again and again, and what is answered holds", async () => {
  let rate = 0;
  const asked: string[] = [];
  const url = await startStrategies((request, response) => {
    asked.push(request.url ?? "");
    response.end(share(rate));
  });
  const isSampled = samplerAt(url, ",initialSamplingRate=1");
  expect(isSampled()).toBe(true); // not waited for
  await until("it has come so far", () => !isSampled());
  rate = 1;
  await until("it has come so far", isSampled);
  expect(asked[0]).toBe("/sampling?service=a+shop");
});

test("answers that make no sense, and none at all, leave what holds", async () => {
  const answers: ((response: ServerResponse) => void)[] = [
    (response) => response.end(share(1)),
    (response) => response.end("{"),
    (response) => response.writeHead(500).end(share(0)),
    (response) => response.destroy(),
    (response) =>
      response.writeHead(200, { "content-length": 100 }).write("{", () => response.destroy()),
    (response) => response.end(share(0).padEnd(1024 * 1024 + 1)),
  ];
  let count = 0;
  const url = await startStrategies((_, response) => {
    answers[Math.min(count++, answers.length - 1)]!(response);
  });
  const isSampled = samplerAt(url, ",initialSamplingRate=0");
  await until("it has come so far", isSampled);
  await until("it has come so far", () => count > answers.length + 1);
  expect(isSampled()).toBe(true);
});

test("an app ends when it is done, whatever the server does, and its own requests are not traced", async () => {
  const sink = await startSink();
  cleanups.push(() => sink.close());
  const url = await startStrategies((_, response) => void response.end(share(1)));
  const app = startApp(appFile("plain/main.cjs"), {
    env: {
      ...environment(url, ",initialSamplingRate=0"),
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_BSP_SCHEDULE_DELAY: "20",
      OTEL_METRICS_EXPORTER: "none",
    },
  });
  const base = await app.url();
  const poll = setInterval(() => void fetch(base).catch(() => {}), 20);
  cleanups.push(() => clearInterval(poll));
  await until("it has come so far", () => sink.spans.length > 2);
  const { stderr } = await app.stop();
  expect(stderr).toBe("");
  expect(new Set(sink.spans.map(({ name }) => name))).toEqual(new Set(["GET"]));
  expect(sink.spans.every(({ kind }) => kind === 2)).toBe(true); // servers' alone
});

test("a server that never answers keeps nobody waiting, one that is not there is told once", async () => {
  const silent = await startStrategies(() => {});
  const options = { args: ["natural"], env: { ...noExporters, ...environment(silent) } };
  const waiting = await runApp(appFile("exit/main.cjs"), options);
  expect(waiting).toMatchObject({ code: 4, stderr: "" });
  expect(waiting.tookMs).toBeLessThan(5000);

  const app = startApp(appFile("plain/main.cjs"), {
    env: {
      ...noExporters,
      ...environment("http://127.0.0.1:9"),
      OTEL_TRACES_EXPORTER: "otlp/stdout",
    },
  });
  let stderr = "";
  app.process.stderr?.on("data", (text: string) => (stderr += text));
  await until("it has come so far", () => stderr !== "");
  const ended = await app.stop();
  expect(ended.stderr).toMatch(
    /^sonde: sampling strategies: http:\/\/127\.0\.0\.1:9 .*ECONNREFUSED.*; asking again\n$/,
  );
});

const noExporters = {
  OTEL_METRICS_EXPORTER: "none",
  OTEL_LOGS_EXPORTER: "none",
  OTEL_TRACES_EXPORTER: "otlp/stdout",
};
