// The scrubber at work in OpenTelemetry's SDK: on spans as they end and on log records as they are made, before
// any processor that sends them.

import type { AnyValue } from "@opentelemetry/api";
import type { LogRecordProcessor, ReadWriteLogRecord } from "@opentelemetry/sdk-logs";
import type { Span, SpanProcessor } from "@opentelemetry/sdk-trace";
import { scrubAttribute, scrubText } from "./scrub.ts";

export const scrubSpans: SpanProcessor = {
  onStart() {},
  onEnding(span: Span) {
    scrubAll(span.attributes);
    for (const event of span.events) scrubAll(event.attributes);
    for (const link of span.links) scrubAll(link.attributes);
    const name = scrubText(span.name);
    if (name !== span.name) span.updateName(name);
    const { message } = span.status;
    if (message) span.status.message = scrubText(message);
  },
  onEnd() {},
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};

export const scrubLogs: LogRecordProcessor = {
  onEmit(record: ReadWriteLogRecord) {
    const { body } = record;
    if (body !== undefined) record.setBody(scrubAttribute<AnyValue>("body", body));
    scrubAll(record.attributes);
  },
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};

/** In place: what it is called for is of this span or record alone. */
function scrubAll(attributes: Record<string, unknown> | undefined): void {
  for (const name in attributes) {
    const value = attributes[name];
    const scrubbed = scrubAttribute(name, value);
    if (scrubbed !== value) attributes[name] = scrubbed;
  }
}

/** Where the providers that `sdk-node` makes keep their processors; there is no way in but this one. */
interface Insides {
  readonly _activeSpanProcessor?: { readonly _spanProcessors?: SpanProcessor[] };
  readonly _sharedState?: {
    readonly registeredLogRecordProcessors?: LogRecordProcessor[];
    readonly activeProcessor?: { readonly processors?: LogRecordProcessor[] };
  };
}

/** Puts the scrubbers before the processors of providers that are made already; says which it could not. */
export function scrubFrom(tracers: object, loggers: object): ("spans" | "log records")[] {
  const spans = (tracers as Insides)._activeSpanProcessor?._spanProcessors;
  const logs = (loggers as Insides)._sharedState;
  const records = logs?.activeProcessor?.processors ?? logs?.registeredLogRecordProcessors;
  spans?.unshift(scrubSpans);
  records?.unshift(scrubLogs);
  return [...(spans ? [] : ["spans" as const]), ...(records ? [] : ["log records" as const])];
}
