// A log record as OTLP has it. Fields that have their default value are left out.

import type { Encoder } from "../export/encoder.ts";
import { partAt } from "../trace/ids.ts";
import { Span } from "../trace/span.ts";
import type { KeptRecord } from "./logger.ts";

export function encodeRecord(encoder: Encoder, record: KeptRecord): void {
  const start = encoder.begin(0x12);
  encoder.time(0x09, record.time);
  if (record.severity !== 0) encoder.uint(0x10, record.severity);
  if (record.severityText !== undefined) encoder.text(0x1a, record.severityText);
  if (record.body !== undefined) encoder.body(0x2a, record.body);
  encoder.attributes(0x32, record.attributes);
  if (record.attributes.dropped > 0) encoder.uint(0x38, record.attributes.dropped);
  if (record.span !== undefined) encodeTrace(encoder, record.span);
  encoder.time(0x59, record.observed);
  if (record.eventName !== undefined) encoder.text(0x62, record.eventName);
  encoder.end(start);
}

function encodeTrace(encoder: Encoder, span: NonNullable<KeptRecord["span"]>): void {
  const isOwn = span instanceof Span;
  const flags = isOwn ? Number(span.isSampled) : span.traceFlags & 0xff;
  if (flags !== 0) encoder.fixed32(0x45, flags);
  encoder.head(0x4a, 16);
  for (let at = 0; at < 4; at++) {
    encoder.part(isOwn ? span.trace[at]! : partAt(span.traceId, at * 8));
  }
  encoder.head(0x52, 8);
  encoder.part(isOwn ? span.idHigh : partAt(span.spanId, 0));
  encoder.part(isOwn ? span.idLow : partAt(span.spanId, 8));
}
