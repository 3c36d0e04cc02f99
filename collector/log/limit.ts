// What happens at the limit of a log. Outputs that are ahead must not suffer for one that is behind: it is
// moved past the oldest data, and what it misses is counted. Where nobody is ahead, the log refuses.
//
// What was handed out before may still be delivered and committed afterwards, though the cursor stands
// behind it already: then it is no longer counted as missed.

import { noItems, type PerSignal, signals } from "../wire/batch.ts";
import type { Position } from "./log.ts";

export type WhenFull = "skip" | "refuse";

/** What a reader was moved past since the log began. */
export interface Skipped {
  readonly items: PerSignal;
  /** Behind the next batch that came: a reader that has come so far has caught up. */
  readonly until: Position;
}

export const nothingSkipped: Skipped = { items: noItems(), until: 0 };

/** Those that have not passed `position` and may be moved there, because some other has passed it. */
export function laggards<Reader extends { readonly committedUpTo: Position }>(
  readers: Iterable<Reader>,
  position: Position,
): readonly Reader[] {
  const all = [...readers];
  const late = all.filter(({ committedUpTo }) => committedUpTo < position);
  return late.length < all.length ? late : [];
}

export function plus(one: PerSignal, other: PerSignal): PerSignal {
  const sum = noItems();
  for (const signal of signals) sum[signal] = one[signal] + other[signal];
  return sum;
}

export function minus(one: PerSignal, other: PerSignal): PerSignal {
  const rest = noItems();
  for (const signal of signals) rest[signal] = one[signal] - other[signal];
  return rest;
}
