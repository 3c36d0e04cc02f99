// A span as OTLP has it. Fields that have their default value are left out.

import type { Encoder } from "../export/encoder.ts";
import { partAt } from "./ids.ts";
import type { Event, KeptLink, Span } from "./span.ts";

const hasRemoteFlag = 0x100;
const isRemoteFlag = 0x200;

export function encodeSpan(encoder: Encoder, span: Span): void {
  const start = encoder.begin(0x12);
  encoder.head(0x0a, 16);
  encoder.part(span.trace[0]);
  encoder.part(span.trace[1]);
  encoder.part(span.trace[2]);
  encoder.part(span.trace[3]);
  encoder.head(0x12, 8);
  encoder.part(span.idHigh);
  encoder.part(span.idLow);
  if (span.traceStateText !== "") encoder.text(0x1a, span.traceStateText);
  if (span.hasParent) {
    encoder.head(0x22, 8);
    encoder.part(span.parentHigh);
    encoder.part(span.parentLow);
  }
  encoder.prose(0x2a, span.name);
  encoder.uint(0x30, span.kind + 1);
  encoder.time(0x39, span.startTime);
  encoder.time(0x41, span.endTime);
  encoder.attributes(0x4a, span.kept);
  if (span.kept.dropped > 0) encoder.uint(0x50, span.kept.dropped);
  for (const event of span.events) encodeEvent(encoder, event);
  if (span.droppedEventsCount > 0) encoder.uint(0x60, span.droppedEventsCount);
  for (const link of span.links) encodeLink(encoder, link);
  if (span.droppedLinksCount > 0) encoder.uint(0x70, span.droppedLinksCount);
  const { code, message } = span.status;
  if (code !== 0) {
    const status = encoder.begin(0x7a);
    if (message !== undefined) encoder.prose(0x12, message);
    encoder.uint(0x18, code);
    encoder.end(status);
  }
  const remote = span.isParentRemote ? isRemoteFlag : 0;
  encoder.fixed32(0x85, (span.isSampled ? 1 : 0) | hasRemoteFlag | remote, 0x01);
  encoder.end(start);
}

function encodeEvent(encoder: Encoder, { name, time, attributes }: Event): void {
  const start = encoder.begin(0x5a);
  encoder.time(0x09, time);
  encoder.text(0x12, name);
  encoder.attributes(0x1a, attributes);
  if (attributes.dropped > 0) encoder.uint(0x20, attributes.dropped);
  encoder.end(start);
}

function encodeLink(encoder: Encoder, { context, traceState, attributes }: KeptLink): void {
  const start = encoder.begin(0x6a);
  encoder.head(0x0a, 16);
  for (let at = 0; at < 32; at += 8) encoder.part(partAt(context.traceId, at));
  encoder.head(0x12, 8);
  for (let at = 0; at < 16; at += 8) encoder.part(partAt(context.spanId, at));
  if (traceState !== "") encoder.text(0x1a, traceState);
  encoder.attributes(0x22, attributes);
  if (attributes.dropped > 0) encoder.uint(0x28, attributes.dropped);
  const remote = context.isRemote === true ? isRemoteFlag : 0;
  encoder.fixed32(0x35, (context.traceFlags & 0xff) | hasRemoteFlag | remote);
  encoder.end(start);
}
