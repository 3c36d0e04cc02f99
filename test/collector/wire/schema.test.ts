import protobuf from "protobufjs";
import { expect, test } from "vitest";
import { signals } from "../../../collector/wire/batch.ts";
import { type Message, requests } from "../../../collector/wire/schema.ts";
import { root } from "../../support/otlp.ts";

test.each(signals)("the table of %s agrees with the .proto text field by field", (signal) => {
  const compared = new Set<string>();
  const compare = (message: Message, type: protobuf.Type): void => {
    if (compared.has(type.fullName)) return;
    compared.add(type.fullName);
    const ours = message.fields.flatMap((field) => (field ? [describeOurs(message, field)] : []));
    const theirs = type.fieldsArray.map(describeTheirs).toSorted((a, b) => a.number - b.number);
    expect(ours, message.name).toEqual(theirs);
    for (const field of message.fields) {
      if (typeof field?.type !== "object") continue;
      compare(field.type, type.fieldsById[field.number]!.resolve().resolvedType as protobuf.Type);
    }
  };
  const name = { traces: "Trace", metrics: "Metrics", logs: "Logs" }[signal];
  compare(requests[signal], root.lookupType(`Export${name}ServiceRequest`));
  expect(compared.size).toBeGreaterThan(10);
});

type Ours = NonNullable<Message["fields"][number]>;

function describeOurs(message: Message, field: Ours): Described {
  const { number, jsonName, type, repeated, presence = "", idLength } = field;
  // The scope and resource groups and what stands in them have names of their own in the table.
  const isGroup = /^(Export|Resource_|Scope_)/.test(message.name);
  const kind = typeof type === "object" ? (isGroup ? "message" : type.name) : type;
  return { number, jsonName, kind, repeated, presence, idLength };
}

interface Described {
  number: number;
  jsonName: string;
  kind: string;
  repeated: boolean;
  presence: string;
  idLength: number | undefined;
}

function describeTheirs(field: protobuf.Field): Described {
  const { id: number, name: jsonName, repeated, resolvedType, type } = field.resolve();
  const isGroup = /^(Export|Resource[SML]|Scope)/.test(field.parent?.name ?? "");
  const scalar = resolvedType instanceof protobuf.Enum ? "enum" : type;
  const message = resolvedType instanceof protobuf.Type ? resolvedType.name : undefined;
  const members = field.partOf?.fieldsArray.length ?? 0;
  return {
    number,
    jsonName,
    kind: message === undefined ? scalar : isGroup ? "message" : message,
    repeated,
    presence: members > 1 ? "oneof" : members === 1 ? "optional" : "",
    idLength: jsonName.endsWith("traceId") ? 16 : /[sS]panId$/.test(jsonName) ? 8 : undefined,
  };
}
