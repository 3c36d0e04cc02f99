// A record that an output could not deliver, and the letters about a delivery of which something was
// refused.

import type { Signal } from "../wire/batch.ts";
import { extractLeaf } from "../wire/extract.ts";
import type { Delivery, Outcome, Piece, Reason, RejectedItem } from "./output.ts";

export interface DeadLetter {
  readonly at: string;
  /** The id of the log that the position is in. */
  readonly log?: string;
  readonly signal: Signal;
  readonly reason: Reason;
  readonly detail: string;
  /** In the log; the first one where the letter is about several batches. */
  readonly position: number;
  /** Where in the batch the first leaf of the request stands; absent where it is the whole batch. */
  readonly index?: number;
  /** How many were refused. */
  readonly items: number;
  /**
   * Only where the destination did not say which: so many are in the request, and all but `items` of
   * them were taken. Sending it again would deliver those twice.
   */
  readonly among?: number;
  /** How often it was refused, if more than once. */
  readonly attempts?: number;
  /** The OTLP request that holds the records, protobuf in base64. */
  readonly request: string;
}

const longestDetail = 2_000;

export function encodeLetter(letter: DeadLetter): string {
  return `${JSON.stringify({ ...letter, detail: letter.detail.slice(0, longestDetail) })}\n`;
}

export type Rejected = Extract<Outcome, { kind: "rejected" }>;

/** The letters about a delivery of which something was refused. */
export function lettersOf(delivery: Delivery, rejected: Rejected): readonly DeadLetter[] {
  const { which, items } = rejected;
  if (which) return which.map((item) => letterOfItem(delivery, item));
  if (items < delivery.items) return [letterOfSome(delivery, rejected)];
  return delivery.entries.map((entry) => letterOfPiece(delivery.signal, entry, rejected));
}

function letterOfItem({ signal, entries }: Delivery, item: RejectedItem): DeadLetter {
  const { position, items = 1, reason, detail } = item;
  const entry = entries.find((candidate) => candidate.position === position);
  const index = (entry?.firstLeaf ?? 0) + item.index;
  const bytes = (entry && extractLeaf(entry.batch.bytes, item.index)) ?? new Uint8Array();
  return { at: now(), signal, reason, detail, position, index, items, request: base64(bytes) };
}

function letterOfPiece(signal: Signal, piece: Piece, { reason, detail }: Rejected): DeadLetter {
  const { position, firstLeaf, batch } = piece;
  const place = firstLeaf === undefined ? { position } : { position, index: firstLeaf };
  const { items, bytes } = batch;
  return { at: now(), signal, reason, detail, ...place, items, request: base64(bytes) };
}

/** One for all, since a request one after the other is their merge, and the count is of them all. */
function letterOfSome({ signal, entries, items: among }: Delivery, some: Rejected): DeadLetter {
  const { reason, detail, items } = some;
  const [first] = entries;
  const position = first?.position ?? 0;
  const place =
    first?.firstLeaf === undefined ? { position } : { position, index: first.firstLeaf };
  const bytes = Buffer.concat(entries.map(({ batch }) => batch.bytes));
  return { at: now(), signal, reason, detail, ...place, items, among, request: base64(bytes) };
}

const now = (): string => new Date().toISOString();

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}
