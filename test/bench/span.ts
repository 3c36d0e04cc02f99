// What a span with eight attributes costs from its start until it is in the bytes of a request, ours beside
// OpenTelemetry's tracer, batch processor and protobuf serializer in the same process:
// node --conditions=source test/bench/span.ts

import { createRequire } from "node:module";
import { loadavg } from "node:os";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import type { Context, TracerProvider as ApiTracerProvider } from "@opentelemetry/api";
import type * as sdkTrace from "@opentelemetry/sdk-trace";
import type * as transformer from "@opentelemetry/otlp-transformer";
import { Batch } from "../../sdk/export/batch.ts";
import { redactorOf } from "../../sdk/instrument/scrub.ts";
import { readSettings } from "../../sdk/settings.ts";
import { AsyncContexts, rootContext } from "../../sdk/trace/context.ts";
import { spanLimitsOf } from "../../sdk/trace/limits.ts";
import { samplerOf } from "../../sdk/sampling/sampler.ts";
import { TracerProvider } from "../../sdk/trace/tracer.ts";
import { Attributes } from "../../sdk/trace/values.ts";

const rounds = 30;
const warmUps = 5;
const spansPerRound = 20_480; // full batches

// As apps have them: the CommonJS builds.
const require = createRequire(import.meta.url);
const theirs = require("@opentelemetry/sdk-trace") as typeof sdkTrace;
const { ProtobufTraceSerializer } =
  require("@opentelemetry/otlp-transformer") as typeof transformer;

interface Engine {
  readonly provider: ApiTracerProvider;
  readonly root: Context;
  /** Of all requests so far. */
  bytes: number;
  readonly flush: () => Promise<void>;
}

function official(): Engine {
  const processor = new theirs.BatchSpanProcessor({
    maxQueueSize: spansPerRound * 2,
    maxExportBatchSize: 512,
    exporter: {
      export(spans, done) {
        engine.bytes += ProtobufTraceSerializer.serializeRequest(spans)?.length ?? 0;
        done({ code: 0 });
      },
      forceFlush: () => Promise.resolve(),
      shutdown: () => Promise.resolve(),
    },
  });
  const provider = new theirs.TracerProvider({ spanProcessors: [processor] });
  const engine: Engine = {
    provider,
    root: ROOT_CONTEXT,
    bytes: 0,
    flush: () => processor.forceFlush(),
  };
  return engine;
}

function own(): Engine {
  const { settings } = readSettings({});
  const batch = new Batch({
    resource: () => new Attributes(),
    settings: settings.spanBatch,
    redactor: redactorOf,
    sends: [(body) => (engine.bytes += body.length) > 0],
  });
  const flush = async (): Promise<void> => batch.flush();
  const provider = new TracerProvider({
    contexts: new AsyncContexts(),
    sampler: samplerOf(settings),
    limits: spanLimitsOf(settings.limits),
    batch,
    flush,
  });
  const engine: Engine = { provider, root: rootContext, bytes: 0, flush };
  return engine;
}

const given = {
  kind: 1,
  attributes: {
    "http.request.method": "GET",
    "url.path": "/items/5",
    "url.scheme": "http",
    "network.peer.address": "127.0.0.1",
    "network.peer.port": 34_567,
    "server.address": "localhost",
  },
};

/** Nanoseconds of CPU for each span. */
async function measure({ provider, root, flush }: Engine): Promise<number> {
  const tracer = provider.getTracer("bench");
  const begun = process.cpuUsage();
  for (let count = 0; count < spansPerRound; count++) {
    const span = tracer.startSpan("GET", given, root);
    span.setAttribute("http.route", "/items/:id");
    span.setAttribute("http.response.status_code", 200);
    span.updateName("GET /items/:id");
    span.end();
  }
  await flush();
  const { user, system } = process.cpuUsage(begun);
  return ((user + system) * 1000) / spansPerRound;
}

const engines = { "sdk-trace": official(), ours: own() };
const times: Record<keyof typeof engines, number[]> = { "sdk-trace": [], ours: [] };
for (let round = 0; round < warmUps + rounds; round++) {
  for (const name of ["sdk-trace", "ours"] as const) {
    const time = await measure(engines[name]);
    if (round >= warmUps) times[name].push(time);
  }
}
for (const name of ["sdk-trace", "ours"] as const) {
  const sorted = times[name].toSorted((one, other) => one - other);
  const [least = 0, median = 0] = [sorted[0], sorted[rounds >> 1]];
  const bytes = engines[name].bytes / spansPerRound / (warmUps + rounds);
  console.log(
    `${name.padEnd(10)} ${median.toFixed(0)} ns CPU a span (least ${least.toFixed(0)}), ${bytes.toFixed(0)} bytes`,
  );
}
console.log(`${rounds} rounds, load average ${loadavg()[0]?.toFixed(2)}`);
