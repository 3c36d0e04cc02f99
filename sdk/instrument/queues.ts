// How many jobs BullMQ's queues hold, for apps that ask for it by SONDE_QUEUE_METRICS: only Redis knows, so that
// each time metrics are collected is one command more for each queue, over the connection that the queue has. Nobody waits
// for the answer: it is told with the next collection, and no queue is asked again before it has answered.

import type { MetricData } from "@opentelemetry/sdk-metrics";
import type { Instrument, Measured, Reader } from "../metrics/reader.ts";
import { lateSources } from "../metrics/sources.ts";
import { load } from "../packages.ts";
import { suppressed } from "../trace/context.ts";
import { replaceMethod } from "./http-events.ts";

/** By the names that BullMQ gives them itself. */
export const queueInstruments = {
  jobs: {
    name: "bullmq.queue.jobs",
    description: "Number of jobs in the queue by state.",
    unit: "{jobs}",
  },
} satisfies Readonly<Record<string, Instrument>>;

const states = ["waiting", "active", "delayed", "failed"] as const;
/** Those that the app makes beyond are not counted. */
const mostQueues = 50;

/** What is looked at of BullMQ's Queue. */
interface Queue {
  readonly name: string;
  readonly closing?: unknown;
  getJobCounts(...states: string[]): Promise<Readonly<Record<string, number>>>;
}

interface Known {
  readonly queue: WeakRef<Queue>;
  isAsked: boolean;
  counts: Readonly<Record<string, number>> | undefined;
}

const queues = new Map<string, Known>();
const patched = new WeakSet<object>();

/** `exports` of bullmq. Its constructor waits for the connection, by which it shows itself. */
export function countJobs(exports: unknown): void {
  const prototype = (exports as { Queue?: { prototype?: object } } | null)?.Queue?.prototype;
  if (!prototype || patched.has(prototype)) return;
  const methods = ["waitUntilReady", "getJobCounts"].map((name) => Reflect.get(prototype, name));
  if (methods.some((method) => typeof method !== "function")) return;
  patched.add(prototype);
  replaceMethod<(this: Queue) => unknown>(prototype, "waitUntilReady", (original) => {
    return function waitUntilReady() {
      know(this);
      return original.call(this);
    };
  });
  lateSources.set("bullmq", readQueues);
}

/** Of two objects for one queue the later, which is the one that lives. */
function know(queue: Queue): void {
  try {
    const { name } = queue;
    if (typeof name !== "string" || (queues.size >= mostQueues && !queues.has(name))) return;
    if (queues.get(name)?.queue.deref() === queue) return;
    queues.set(name, { queue: new WeakRef(queue), isAsked: false, counts: undefined });
  } catch {
    // One that is not counted.
  }
}

function readQueues(reader: Reader): MetricData[] {
  const values: Measured[] = [];
  for (const [name, known] of queues) {
    const queue = known.queue.deref();
    if (queue === undefined || queue.closing) {
      queues.delete(name);
      continue;
    }
    for (const state of known.counts ? states : []) {
      const attributes = { "bullmq.queue.name": name, "bullmq.queue.jobs.state": state };
      values.push([known.counts?.[state] ?? 0, attributes]);
    }
    known.counts = undefined; // what is not asked again is not told again
    if (!known.isAsked) void ask(queue, known);
  }
  return values.length > 0 ? [reader.gauge(queueInstruments.jobs, values)] : [];
}

/** Never rejects. While there is no connection it takes as long as that takes. */
async function ask(queue: Queue, known: Known): Promise<void> {
  known.isAsked = true;
  try {
    const { context } = load("@opentelemetry/api");
    const untraced = suppressed(context.active());
    known.counts = await context.with(untraced, () => queue.getJobCounts(...states));
  } catch {
    // Whoever uses the queue hears of it.
  } finally {
    known.isAsked = false;
  }
}
