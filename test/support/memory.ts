// Memory in which nothing survives its last user.

import { Memory } from "../../collector/memory/memory.ts";

/** Whoever looks at what he has released finds what is no protobuf, no frame and no text. */
export function spoiled(): Memory {
  return new Memory({ unused: (buffer) => buffer.fill(0xff) });
}
