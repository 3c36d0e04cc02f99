// What a sink received as flat facts, `<item>: <field>` → value, so that two runs of one app can be compared
// fact by fact. Ids and times are left out (which span is whose child is in a span's name here); of ports,
// process ids and the like only the type is kept.

import type { Attributes, Received, Sink } from "./sink.ts";
import { plain, plainValue } from "./sink.ts";
import type { HistogramDataPoint, Metric, NumberDataPoint, Span } from "../../support/otlp.ts";

export type Facts = ReadonlyMap<string, string>;

export function describeSpans(sink: Sink): Facts {
  return collect(sink.spans, (span) => {
    const isTimed = span.name?.startsWith("timed ") ?? false; // at times that the app gave
    const fields = {
      scope: scopeOf(span.scope),
      status: [span.status?.code ?? 0, span.status?.message ?? ""],
      "trace state": span.traceState ?? "",
      flags: span.flags,
      dropped: [span.droppedAttributesCount, span.droppedEventsCount, span.droppedLinksCount].map(
        (count) => count ?? 0,
      ),
      ...numbered("link", span.links, ({ traceId, spanId, traceState, flags, ...link }) => [
        traceId,
        spanId,
        traceState ?? "",
        flags,
        link.droppedAttributesCount ?? 0,
        plain(link.attributes),
      ]),
      ...prefixed("attribute", span.attributes),
      ...numbered("event", span.events, ({ name, timeUnixNano, ...event }) => [
        name ?? "",
        isTimed ? timeUnixNano : "",
        event.droppedAttributesCount ?? 0,
        plain(event.attributes),
      ]),
      ...(isTimed ? { times: [span.startTimeUnixNano, span.endTimeUnixNano] } : {}),
    };
    return [pathOf(span, sink.spans), fields];
  });
}

export function describeLogs(sink: Sink): Facts {
  return collect(sink.logs, (record) => {
    const span = sink.spans.find(({ spanId }) => spanId === record.spanId);
    const isTimed = record.eventName === "timed";
    return [
      `log ${record.eventName || String(plainValue(record.body))}`,
      {
        scope: record.scope,
        severity: [record.severityNumber, record.severityText],
        "event name": record.eventName ?? "",
        body: plainValue(record.body),
        dropped: record.droppedAttributesCount ?? 0,
        times: isTimed ? [record.timeUnixNano, record.observedTimeUnixNano] : undefined,
        flags: record.flags ?? 0,
        span:
          span && record.traceId === span.traceId
            ? pathOf(span, sink.spans)
            : `${record.traceId ?? "no"} ${record.spanId ?? "none"}`,
        ...prefixed("attribute", record.attributes),
      },
    ];
  });
}

/** Values too, but those of the runtime: no two processes have the same. */
export function describeMetrics(sink: Sink): Facts {
  return collect(joined(sink.metrics), (metric) => {
    const { sum, gauge, histogram, scope } = metric;
    const points: readonly (NumberDataPoint & HistogramDataPoint)[] =
      sum?.dataPoints ?? gauge?.dataPoints ?? histogram?.dataPoints ?? [];
    const isRuntime = scope === "runtime";
    const described = points.map((point) => {
      const attributes = plain(point.attributes);
      if (isRuntime) return Object.keys(attributes).toSorted().join(",");
      const value = Number(point.count ?? point.asInt ?? point.asDouble);
      const names = Object.keys(attributes).toSorted();
      const sorted = Object.fromEntries(names.map((name) => [name, attributes[name]]));
      return `${text("", sorted)} ${value}`;
    });
    return [
      `metric ${scope} ${metric.name}`,
      {
        unit: metric.unit ?? "",
        description: metric.description ?? "",
        kind: kindOf(metric),
        temporality: (sum ?? histogram)?.aggregationTemporality,
        bounds: points[0]?.explicitBounds,
        points: [...new Set(described)].toSorted(),
      },
    ];
  });
}

/** Ours takes the place of two of OpenTelemetry's: what they record is compared, not who does. */
function scopeOf(scope: string): string {
  const isHttp = /^(sonde\/http|@opentelemetry\/instrumentation-(http|undici))$/.test(scope);
  const isRuntime = /^(sonde\/runtime|@opentelemetry\/instrumentation-runtime-node)$/.test(scope);
  return isHttp ? "http" : isRuntime ? "runtime" : scope;
}

/** The last that was sent of each, with all its points where two scopes have one of the same name. */
function joined(metrics: Sink["metrics"]): Sink["metrics"] {
  const last = new Map(metrics.map((metric) => [`${metric.scope} ${metric.name}`, metric]));
  const all = new Map<string, Received<Metric>>();
  for (const [, metric] of [...last].toSorted(([one], [other]) => (one < other ? -1 : 1))) {
    const scope = scopeOf(metric.scope);
    const key = `${scope} ${metric.name}`;
    const { histogram, ...first } = all.get(key) ?? { ...metric, scope };
    const dataPoints = [histogram, metric.histogram].flatMap((one) => one?.dataPoints ?? []);
    const isHistogram = metric.histogram !== undefined;
    all.set(
      key,
      isHistogram ? { ...first, histogram: { ...metric.histogram, dataPoints } } : first,
    );
  }
  return [...all.values()];
}

/** One for all that was sent, or there are as many as were found. */
export function describeResources(sink: Sink): Facts {
  const items = [...sink.spans, ...sink.logs, ...sink.metrics];
  const distinct = new Map(items.map(({ resource }) => [JSON.stringify(resource), resource]));
  return collect([...distinct.values()], (resource, index) => [
    index === 0 ? "resource" : `resource ${index + 1}`,
    resource,
  ]);
}

/** Its kind and name below those of its parents, up to the first that is not of this app. */
function pathOf(span: Received<Span>, spans: readonly Received<Span>[]): string {
  const url = URL.parse(String(span.attributes["url.full"]));
  const asked = span.kind === 3 && url ? ` ${url.pathname}` : ""; // or all would be called GET
  const own = `${kinds[span.kind ?? 0] ?? "?"} ${span.name}${asked}`;
  if (!span.parentSpanId) return own;
  const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
  return `${parent ? pathOf(parent, spans) : `remote ${span.parentSpanId}`} > ${own}`;
}

const kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"];

function kindOf({ sum, gauge, histogram }: Metric): string {
  if (sum) return sum.isMonotonic ? "counter" : "up-down counter";
  return gauge ? "gauge" : histogram ? "histogram" : "other";
}

function collect<Item>(
  items: readonly Item[],
  describe: (
    item: Item,
    index: number,
  ) => [name: string, fields: Readonly<Record<string, unknown>>],
): Facts {
  const facts = new Map<string, string>();
  for (const [index, item] of items.entries()) {
    const [name, fields] = describe(item, index);
    for (const [field, value] of Object.entries(fields)) {
      if (value !== undefined) facts.set(`${name}: ${field}`, text(field, value));
    }
  }
  return facts;
}

function numbered<Item>(
  name: string,
  items: readonly Item[] = [],
  describe: (item: Item) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(items.map((item, index) => [`${name} ${index + 1}`, describe(item)]));
}

function prefixed(prefix: string, attributes: Attributes): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(attributes).map(([key, value]) => [`${prefix} ${key}`, value]),
  );
}

/** What differs, with what each of the two says; of what only one has, nothing more than that. */
export function differencesBetween(left: Facts, right: Facts): readonly (readonly string[])[] {
  const lefts = new Set([...left.keys()].map(itemOf));
  const rights = new Set([...right.keys()].map(itemOf));
  const items = [...new Set([...lefts, ...rights])];
  const lone = items
    .filter((item) => lefts.has(item) !== rights.has(item))
    .map((item) => (lefts.has(item) ? [item, "sent", "absent"] : [item, "absent", "sent"]));
  const facts = [...new Set([...left.keys(), ...right.keys()])]
    .filter((fact) => left.get(fact) !== right.get(fact))
    .filter((fact) => lefts.has(itemOf(fact)) && rights.has(itemOf(fact)))
    .map((fact) => [fact, left.get(fact) ?? "absent", right.get(fact) ?? "absent"]);
  return [...lone, ...facts].toSorted(([one = ""], [other = ""]) => (one < other ? -1 : 1));
}

function itemOf(fact: string): string {
  return fact.slice(0, fact.lastIndexOf(": "));
}

function text(field: string, value: unknown): string {
  if (variable.test(field)) return typeof value;
  const said = JSON.stringify(value).replaceAll(ownFrames, "");
  return said.replaceAll(/(127\.0\.0\.1:|port":)\d+/g, "$1…");
}

/** Of a stack: where it went through either SDK, and through Node, which takes other ways for a channel's sake. */
const ownFrames =
  /\\n    at [^\\]*(?:[/\\](?:@opentelemetry[/\\][a-z-]+|sdk[/\\](?:instrument|trace))[/\\]|\bnode:)[^\\]*/g;

/** Another one in each process, or on each machine. */
const variable = /\.(port|pid|instance\.id)$|^(host\.id|process\.(owner|command_args))$/;
