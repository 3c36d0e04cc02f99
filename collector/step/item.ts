// What a step looks at: one span, log record, metric or data point where it lies in the batch's bytes,
// with the resource and scope that it belongs to. One object serves for all of them, one after the other.

import type { Signal } from "../wire/batch.ts";
import type { Range } from "../wire/leaves.ts";

export class Item {
  bytes: Uint8Array = new Uint8Array();
  signal: Signal = "traces";
  /** Stretches of the bytes; empty where the message is absent. */
  readonly resource: Range = { start: 0, end: 0 };
  readonly scope: Range = { start: 0, end: 0 };
  /** The span, log record or metric. */
  readonly leaf: Range = { start: 0, end: 0 };
  /** The data point, where data points are looked at, and which of a metric's fields it stands in. */
  readonly point: Range = { start: 0, end: 0 };
  pointKind = 0;
  /**
   * They change when the resource or the scope does, and no batch has those of another, so that what was
   * read from it can be kept.
   */
  resourceNumber = 0;
  scopeNumber = 0;
  /** What the loops of expressions may still do over this batch. */
  stepsLeft = 0;
}
