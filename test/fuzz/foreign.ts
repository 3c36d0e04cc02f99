// The reading of protobufjs, in the form of read-message.ts.

import protobuf from "protobufjs";
import type { Signal } from "../../collector/wire/batch.ts";
import { root } from "../support/otlp.ts";
import { bitsOf, type Reading, type Value } from "./read-message.ts";

const names: Readonly<Record<Signal, string>> = {
  traces: "ExportTraceServiceRequest",
  metrics: "ExportMetricsServiceRequest",
  logs: "ExportLogsServiceRequest",
};

/** Throws what protobufjs throws for bytes that it refuses. */
export function readForeign(signal: Signal, bytes: Uint8Array): Reading {
  const type = root.lookupType(names[signal]);
  return read(type, type.decode(bytes));
}

type Fields = Readonly<Record<string, unknown>>;

function read(type: protobuf.Type, message: object): Reading {
  const fields = message as Fields;
  const reading: Record<string, Value | readonly Value[]> = {};
  for (const field of type.fieldsArray.toSorted((a, b) => a.id - b.id)) {
    field.resolve();
    if (!Object.hasOwn(message, field.name)) continue;
    const value = fields[field.name];
    if (field.repeated) {
      const list = (value as unknown[]).map((one) => valueOf(field, one));
      if (list.length > 0) reading[field.id] = list;
    } else {
      const one = valueOf(field, value);
      const isPresent = field.partOf || field.resolvedType instanceof protobuf.Type;
      if (isPresent || !isDefault(field, one)) reading[field.id] = one;
    }
  }
  return reading;
}

export function isDefault({ type }: protobuf.Field, value: Value): boolean {
  return (
    value === (type === "double" ? bitsOf(0) : type === "string" || type === "bytes" ? "" : "0")
  );
}

function valueOf(field: protobuf.Field, value: unknown): Value {
  if (field.resolvedType instanceof protobuf.Type) return read(field.resolvedType, value as object);
  switch (field.type) {
    case "string":
      return Buffer.from(value as string).toString("hex");
    case "bytes":
      return Buffer.from(value as Uint8Array).toString("hex");
    case "double":
      return bitsOf(value as number);
    case "bool":
      return value === true ? "1" : "0";
    default:
      return String(value);
  }
}
