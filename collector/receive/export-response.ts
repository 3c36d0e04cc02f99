// Export…ServiceResponse, which has the same form for every signal.

import { Writer } from "../wire/writer.ts";
import type { Answer } from "./intake.ts";

const complete = new Uint8Array(0);

/** Empty, unless items were left out. */
export function encodeResponse({ partial }: Extract<Answer, { kind: "accepted" }>): Uint8Array {
  if (!partial) return complete;
  const writer = new Writer(256);
  writer.begin(1); // partial_success
  writer.uint(1, partial.rejected);
  writer.text(2, partial.message);
  writer.end();
  return writer.finish();
}
