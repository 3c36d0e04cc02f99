// What a walk over foreign bytes has to do with each field of a message, laid out for speed.

import { type Field, KeyValue, type Message } from "./schema.ts";
import {
  attribute,
  bytesOfAnyKind,
  description,
  eightBytes,
  fourBytes,
  misplaced,
  nested,
  noWireType,
  packedEightBytes,
  packedVarints,
  spanId,
  text,
  traceId,
  varint,
} from "./walk-rules.ts";

export interface Plan {
  readonly isItem: boolean;
  /** By tag, for all fields that the message has. */
  readonly actions: Uint8Array;
  /** By field number. */
  readonly children: readonly (Plan | undefined)[];
}

const made = new Map<Message, Plan>();

export function planOf(message: Message): Plan {
  const known = made.get(message);
  if (known) return known;
  const children: (Plan | undefined)[] = [];
  const actions = Uint8Array.from({ length: message.fields.length * 8 }, (_, tag) =>
    actionOf(message.fields[tag >>> 3], tag & 7),
  );
  const plan = { isItem: message.isItem, actions, children };
  made.set(message, plan); // before its children: AnyValue holds itself
  for (const field of message.fields) {
    children.push(field && typeof field.type === "object" ? planOf(field.type) : undefined);
  }
  return plan;
}

/** Of any field that we do not know, by wire type. */
export const actionsOfUnknown = Uint8Array.from({ length: 8 }, (_, tag) =>
  actionOf(undefined, tag),
);

function actionOf(field: Field | undefined, wireType: number): number {
  switch (wireType) {
    case 0:
      return !field || isVarint(field) ? varint : misplaced;
    case 1:
      return !field || isEightBytes(field) ? eightBytes : misplaced;
    case 2:
      return field ? delimited(field) : bytesOfAnyKind;
    case 5:
      return !field || field.type === "fixed32" ? fourBytes : misplaced;
    default:
      return noWireType;
  }
}

function delimited(field: Field): number {
  const { name, type, repeated, idLength } = field;
  if (name === "resource" || name === "scope") return description;
  if (typeof type === "object") return type === KeyValue ? attribute : nested;
  if (type === "string") return text;
  if (type === "bytes") return idLength === 16 ? traceId : idLength === 8 ? spanId : bytesOfAnyKind;
  if (repeated && isEightBytes(field)) return packedEightBytes;
  return repeated && isVarint(field) ? packedVarints : misplaced;
}

function isEightBytes({ type }: Field): boolean {
  return type === "double" || type === "fixed64" || type === "sfixed64";
}

function isVarint(field: Field): boolean {
  const { type } = field;
  const isDelimited = typeof type === "object" || type === "string" || type === "bytes";
  return !isDelimited && type !== "fixed32" && !isEightBytes(field);
}

export const planOfAttribute = planOf(KeyValue);
