// The engine that runs unless another is asked for. Context, tracer and logger are ours: a span or a log
// record is encoded as it ends, into the request that it leaves in. Of metrics ours are those that the SDK
// itself tells, and how all are encoded and sent; the instruments that an app makes, and when they are
// collected, are sdk-metrics'. All are registered with the API, so whatever is written against it works,
// from any copy of the package.

import { isMainThread } from "node:worker_threads";
import type { Tracer } from "@opentelemetry/api";
import { setDiagnostics } from "./diagnostics.ts";
import { Batch } from "./export/batch.ts";
import type { Send } from "./export/batch.ts";
import type { Flushable } from "./export/exit.ts";
import { sendAndWait } from "./export/last-send.ts";
import { logSends, spanSends } from "./export/otlp.ts";
import { Sender } from "./export/sender.ts";
import { Children, parentOf } from "./export/threads.ts";
import type { Parent } from "./export/threads.ts";
import { withoutValues } from "./instrument/quoted.ts";
import { redactorOf } from "./instrument/scrub.ts";
import { LoggerProvider } from "./logs/logger.ts";
import { startPipeline } from "./metrics/pipeline.ts";
import { load, loadOwn } from "./packages.ts";
import { makePropagator, parentContext } from "./propagate/propagator.ts";
import { type Resource, resourceLater } from "./resource.ts";
import { samplerOf } from "./sampling/sampler.ts";
import type { BatchSettings, Settings } from "./settings.ts";
import { messageOf, tell } from "./tell.ts";
import {
  AsyncContexts,
  contextsInUse,
  rootContext,
  useContexts,
  withSpan,
} from "./trace/context.ts";
import type { Contexts } from "./trace/context.ts";
import { logLimitsOf, spanLimitsOf } from "./trace/limits.ts";
import type { ExceptionLog } from "./trace/span.ts";
import { TracerProvider } from "./trace/tracer.ts";
import { Attributes, unlimited } from "./trace/values.ts";

export interface Engine extends Flushable {
  shutdown(): Promise<void>;
}

/** A signal that is on. */
interface Running {
  /** Moves what there is to the sender; what is done when this returns need not be waited for. */
  gather(): Promise<unknown> | undefined;
  /** At the very end, what `gather` would only have in a later turn. */
  gatherNow?(): void;
  stop(): Promise<unknown> | undefined;
  /** How much was lost for lack of room. */
  readonly dropped?: number;
}

interface Start {
  readonly settings: Settings;
  /** Found out when there is something to send. */
  readonly resource: () => Resource;
  readonly sender: Sender;
  readonly contexts: Contexts;
  readonly flush: () => Promise<void>;
  /** The thread that sends for this one. */
  readonly parent: Parent | undefined;
  readonly batches: { traces?: Batch; logs?: Batch };
}

/** All together: what waits to be sent, and the batches that are being filled. */
const mostBytes = 16 * 1024 * 1024;
const filledBytes = 2 * 1024 * 1024;

export function startEngine(settings: Settings): Engine {
  const { context, propagation } = load("@opentelemetry/api");
  setDiagnostics(settings);
  const propagator = makePropagator(settings);
  const contexts = new AsyncContexts(parentContext(propagator, process.env));
  if (registered(context.setGlobalContextManager(contexts))) useContexts(contexts);
  propagation.setGlobalPropagator(propagator);

  const sender = new Sender(mostBytes - filledBytes, contexts.outside());
  const flush = async (): Promise<void> => {
    await Promise.allSettled(running.map(async (signal) => signal.gather()));
    await sender.flush();
  };
  const sends = JSON.stringify([settings.metrics, settings.traces, settings.logs]);
  const parent = isMainThread ? undefined : parentOf(sends);
  if (parent) sender.sendBy(parent);
  const start: Start = {
    settings,
    resource: resourceLater(settings),
    sender,
    contexts: contextsInUse(),
    flush,
    parent,
    batches: {},
  };
  const starts = { metrics: startMetrics, traces: startTraces, logs: startLogs };
  const running = Object.entries(starts).flatMap(([signal, startSignal]) => {
    try {
      return startSignal(start) ?? [];
    } catch (error) {
      tell(`${signal} are off: ${messageOf(error)}`);
      return [];
    }
  });
  const children = new Children(sends, {
    request: (lane, body, items) => sender.push(lane, body, items),
    remains: (signal, body, items) => start.batches[signal]?.pass(body, items),
  });
  parent?.onAsked(() => {
    children.gather();
    for (const signal of running) {
      if (signal.gatherNow) gatherNow(signal);
      else void signal.gather();
    }
  });
  return {
    flush,
    gatherThreads: () => children.gather(),
    gather() {
      sender.hold();
      for (const signal of running) signal.gather()?.catch(() => {});
    },
    gatherLast() {
      for (const signal of running) gatherNow(signal);
    },
    sendLast: (withinMs) => sendAndWait(sender.takeUnsent(), withinMs),
    report() {
      const lost = running.reduce((sum, signal) => sum + (signal.dropped ?? 0), 0);
      if (lost > 0) tell(`${lost} spans and log records were lost for lack of room`);
    },
    async shutdown() {
      await flush();
      await Promise.allSettled(running.map(async (signal) => signal.stop()));
      await sender.flush();
    },
  };
}

function registered(isOurs: boolean): boolean {
  if (!isOurs) tell("another OpenTelemetry SDK was started first; what it has registered stays");
  return isOurs;
}

/** Where @opentelemetry/api-logs looks, which was the API for logs before 1.10 of the API had one. */
function registerOldLogsApi(provider: LoggerProvider): void {
  const key = Symbol.for("io.opentelemetry.js.api.logs");
  const holder = globalThis as { [key]?: () => LoggerProvider };
  holder[key] ??= () => provider;
}

function gatherNow(signal: Running): void {
  try {
    signal.gatherNow?.();
  } catch (error) {
    tell(`the last metrics are lost: ${messageOf(error)}`);
  }
}

function startTraces(start: Start): Running | undefined {
  const { settings, contexts, flush } = start;
  const sends = spanSends(settings, start.sender);
  if (sends.length === 0) return undefined;
  const batch = batchOf(start, "traces", settings.spanBatch, sends);
  const provider = new TracerProvider({
    contexts,
    sampler: samplerOf(settings),
    limits: spanLimitsOf(settings.limits),
    batch,
    flush,
    exceptions: exceptionLogOf(settings),
    adopt: adoptTracer,
  });
  registered(load("@opentelemetry/api").trace.setGlobalTracerProvider(provider));
  return runningOf(batch);
}

/** Undefined where events are enough, and where log records would go nowhere. */
function exceptionLogOf({ exceptionSignal, logs }: Settings): ExceptionLog | undefined {
  if (exceptionSignal === "events" || logs.exporters.length === 0) return undefined;
  return {
    areEventsToo: exceptionSignal === "logs/dup",
    tell(span, exception, timestamp) {
      const { logs, SeverityNumber } = load("@opentelemetry/api");
      const { name, version, schemaUrl } = span.instrumentationScope;
      try {
        const logger = logs.getLogger(name, version, schemaUrl === undefined ? {} : { schemaUrl });
        logger.emit({
          eventName: "exception",
          severityNumber: SeverityNumber.ERROR,
          severityText: "ERROR",
          exception,
          context: withSpan(rootContext, span),
          ...(timestamp === undefined ? undefined : { timestamp }),
        });
      } catch (error) {
        tell(`an exception is not told: ${messageOf(error)}`); // another's logs may be registered
      }
    },
  };
}

function adoptTracer(scope: string, tracer: Tracer): Tracer {
  if (scope === "next.js") return new (loadOwn("./instrument/next").NextTracer)(tracer);
  return withoutValues(scope, tracer);
}

function startLogs(start: Start): Running | undefined {
  const { settings, contexts, flush } = start;
  const sends = logSends(settings, start.sender);
  if (sends.length === 0) return undefined;
  const batch = batchOf(start, "logs", settings.logBatch, sends);
  const limits = logLimitsOf(settings.limits);
  const provider = new LoggerProvider({ contexts, limits, batch, flush });
  registered(load("@opentelemetry/api").logs.setGlobalLoggerProvider(provider));
  registerOldLogsApi(provider);
  return runningOf(batch);
}

function batchOf(
  { settings, resource, parent, batches }: Start,
  signal: "traces" | "logs",
  batch: BatchSettings,
  sends: readonly Send[],
): Batch {
  const fields = (): Attributes => {
    const attributes = new Attributes();
    attributes.setAll(resource(), { count: unlimited, length: unlimited });
    return attributes;
  };
  return (batches[signal] = new Batch({
    resource: fields,
    settings: batchSettings(settings[signal], batch),
    sends,
    redactor: redactorOf,
    remains: parent?.remains[signal],
  }));
}

/** Someone watches the console: what ends is printed at once. */
function batchSettings(
  { exporters }: { readonly exporters: readonly string[] },
  settings: BatchSettings,
): BatchSettings {
  const isWatched = exporters.every((exporter) => exporter === "console");
  return isWatched ? { ...settings, maxBatch: 1 } : settings;
}

function runningOf(batch: Batch): Running {
  return {
    gather() {
      batch.flush();
      return undefined;
    },
    stop() {
      batch.close();
      return undefined;
    },
    get dropped() {
      return batch.dropped;
    },
  };
}

function startMetrics(start: Start): Running | undefined {
  const pipeline = startPipeline(start);
  if (pipeline) {
    registered(load("@opentelemetry/api").metrics.setGlobalMeterProvider(pipeline.provider));
  }
  return pipeline;
}
