// How a metric is offered under other names and labels: as the user says, or as prom-client has them.

import { z } from "zod";
import { showName } from "../../config/problem.ts";
import { suggestion } from "../../config/spelling.ts";

export const presets = ["prom-client"] as const;

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]{0,254}$/;
const labelName = /^(?!__|le$|quantile$|job$|instance$)[a-zA-Z_][a-zA-Z0-9_]{0,254}$/;

const label = z
  .string()
  .regex(labelName, "is not the name of a label that may be given; use letters, digits and _");
const attribute = z.string().min(1).max(255);

const shape = {
  /** As its sender calls it. */
  metric: z.string().min(1).max(1000),
  /** As Prometheus is to see it: nothing is put behind it. */
  name: z.string().regex(metricName, "is not a name for Prometheus; use letters, digits, _ and :"),
  /** Labels with the attributes that they are made of. Over all other attributes it is summed up. */
  labels: z.record(label, attribute).default({}),
  /** Only points with these attributes. */
  where: z.record(attribute, z.string()).default({}),
  /** Of a histogram: its buckets too, or its count as a counter. */
  take: z.enum(["all", "count"]).default("all"),
};

const alias = z.strictObject(shape, {
  error: (issue) => {
    if (issue.code !== "unrecognized_keys") return undefined;
    const [first = ""] = issue.keys;
    return `has no setting ${showName(first)}${suggestion(first, Object.keys(shape))}`;
  },
});

const preset = z.enum(presets);

export const aliases = z.union([preset, z.array(preset)], { error: wordsForPreset }).default([]);
export const aliasedMetrics = z.array(alias).max(1000).default([]);

/** A union's own words would be about both of its kinds. */
function wordsForPreset({ input }: { readonly input?: unknown }): string {
  const given = (Array.isArray(input) ? input : [input]).filter((one) => typeof one === "string");
  const wrong = given.find((one) => !presets.some((known) => known === one)) ?? "";
  return `is none of the known: ${presets.join(", ")}${suggestion(wrong, [...presets])}`;
}

export interface Alias {
  readonly metric: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly where: Readonly<Record<string, string>>;
  /** `beginning`: of the time since, when that was. */
  readonly take: "all" | "count" | "beginning";
  /** Of all label values, what is cut off at the end. */
  readonly cut?: string;
}

interface Given {
  readonly aliases: z.output<typeof aliases>;
  readonly aliased_metrics: z.output<typeof aliasedMetrics>;
}

export function aliasesOf({ aliases: named, aliased_metrics }: Given): readonly Alias[] {
  return [...(named.length > 0 ? promClient : []), ...aliased_metrics];
}

/** prom-client has one that no metric tells. */
export function hasNodeVersion({ aliases: named }: Pick<Given, "aliases">): boolean {
  return named.length > 0;
}

const of = (metric: string, name: string, more: Partial<Alias> = {}): Alias => ({
  metric,
  name,
  labels: {},
  where: {},
  take: "all",
  ...more,
});

const http = {
  method: "http.request.method",
  endpoint: "http.route",
  status: "http.response.status_code",
};
const space = { labels: { space: "v8js.heap.space.name" }, cut: "_space" };
const cpu = "process.cpu.time";
const heap = "v8js.memory.heap";
const lag = ["min", "max", "mean", "stddev", "p50", "p90", "p99"];
const duration = "http.server.request.duration";

/**
 * What prom-client's collectDefaultMetrics() shows, as far as OpenTelemetry's conventions have it, and the
 * two that nearly everybody makes for HTTP.
 */
const promClient: readonly Alias[] = [
  of(duration, "http_requests_total", { labels: http, take: "count" }),
  of(duration, "http_request_duration_seconds", { labels: http }),
  of(cpu, "process_cpu_seconds_total"),
  of(cpu, "process_cpu_user_seconds_total", { where: { "cpu.mode": "user" } }),
  of(cpu, "process_cpu_system_seconds_total", { where: { "cpu.mode": "system" } }),
  of("process.memory.usage", "process_resident_memory_bytes"),
  of("process.memory.virtual", "process_virtual_memory_bytes"),
  of("process.unix.file_descriptor.count", "process_open_fds"),
  of("process.uptime", "process_start_time_seconds", { take: "beginning" }),
  of("nodejs.eventloop.delay.mean", "nodejs_eventloop_lag_seconds"),
  ...lag.map((which) =>
    of(`nodejs.eventloop.delay.${which}`, `nodejs_eventloop_lag_${which}_seconds`),
  ),
  of("v8js.resource.active", "nodejs_active_resources", { labels: { type: "v8js.resource.type" } }),
  of("v8js.resource.active", "nodejs_active_resources_total"),
  of(`${heap}.space.size`, "nodejs_heap_size_total_bytes"),
  of(`${heap}.used`, "nodejs_heap_size_used_bytes"),
  of(`${heap}.space.size`, "nodejs_heap_space_size_total_bytes", space),
  of(`${heap}.used`, "nodejs_heap_space_size_used_bytes", space),
  of(`${heap}.space.available_size`, "nodejs_heap_space_size_available_bytes", space),
  of("v8js.gc.duration", "nodejs_gc_duration_seconds", { labels: { kind: "v8js.gc.type" } }),
];
