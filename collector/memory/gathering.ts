// What requests are gathered with that come in pieces. One for all receivers, so that they share it.

import { Memory } from "./memory.ts";
import { Turns } from "./turns.ts";

export class Gathering {
  readonly memory: Memory;
  readonly turns: Turns;

  constructor(memory = new Memory(), turns = new Turns()) {
    this.memory = memory;
    this.turns = turns;
  }
}
