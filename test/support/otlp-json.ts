// Sends one span, metric or log record, given as JSON text, through fromJson and reads it back with
// protobufjs. Whatever would be left out is thrown.

import type { Signal } from "../../collector/wire/batch.ts";
import { fromJson, JsonError } from "../../collector/wire/from-json.ts";
import { decodeRequest, type LogRecord, type Metric, type Request, type Span } from "./otlp.ts";

export function bytesFromJson(signal: Signal, json: string | Uint8Array): Uint8Array {
  const { bytes, leftOut } = fromJson(signal, Buffer.from(json));
  if (leftOut) throw new JsonError(leftOut.message);
  return bytes;
}

export function requestFromJson(signal: Signal, json: string): Request {
  return decodeRequest(signal, bytesFromJson(signal, json));
}

export function spanFromJson(json: string): Span | undefined {
  const body = `{"resourceSpans":[{"scopeSpans":[{"spans":[${json}]}]}]}`;
  return requestFromJson("traces", body).resourceSpans?.[0]?.scopeSpans?.[0]?.spans?.[0];
}

export function metricFromJson(json: string): Metric | undefined {
  const body = `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[${json}]}]}]}`;
  return requestFromJson("metrics", body).resourceMetrics?.[0]?.scopeMetrics?.[0]?.metrics?.[0];
}

export function logRecordFromJson(json: string): LogRecord | undefined {
  const body = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${json}]}]}]}`;
  return requestFromJson("logs", body).resourceLogs?.[0]?.scopeLogs?.[0]?.logRecords?.[0];
}
