// The books in a cursor's memo, for who finds the memo in a file and does not know who wrote it.

import { Books, type Line } from "../output/books.ts";

/** Undefined if there are none, or none that this version can read. */
export function linesIn(memo: string | undefined): readonly Line[] | undefined {
  if (memo === undefined) return undefined;
  try {
    return [...Books.fromMemo(memo).lines];
  } catch {
    return undefined;
  }
}
