// The walk of validate.ts over what is usual, in WebAssembly: it takes less than half of the time. What it
// does not accept — rare forms, large requests, whatever is wrong — it leaves to the other one.

import { Assembled, type Assembly } from "./assembled.ts";
import type { Signal } from "./batch.ts";
import { actionsOfUnknown, type Plan, planOf, planOfAttribute } from "./plan.ts";
import { binary } from "./quick-walk.binary.ts";
import { modelBytes, modelsAt, mostRequestBytes, requestAt } from "./quick-walk-layout.ts";
import { requests } from "./schema.ts";

/** How many items the request has if it is sound; undefined where that is not known. */
export function quickCount(signal: Signal, bytes: Uint8Array): number | undefined {
  if (bytes.length > mostRequestBytes) return undefined;
  walk ??= load();
  const { memory, exports, plans } = walk;
  memory.set(bytes, requestAt);
  const items = exports.count(plans[signal], requestAt, requestAt + bytes.length);
  return items < 0 ? undefined : items;
}

interface Walk {
  readonly memory: Uint8Array;
  readonly exports: Exports;
  /** Where they lie. */
  readonly plans: Readonly<Record<Signal, number>>;
}

/** See quick-walk.assembly.ts. */
interface Exports extends Assembly {
  prepare(planOfAttribute: number, actionsOfUnknown: number): void;
  count(plan: number, start: number, end: number): number;
}

let walk: Walk | undefined;

const actionsAt = 8; // not 0, which stands for nothing
const plansAt = 16;

function load(): Walk {
  const exports = new Assembled<Exports>(binary).instance();
  const memory = new Uint8Array(exports.memory.buffer);
  const written = new Plans(exports.memory.buffer);
  memory.set(actionsOfUnknown, actionsAt);
  exports.prepare(written.place(planOfAttribute), actionsAt);
  const plan = (signal: Signal): number => written.place(planOf(requests[signal]));
  const plans = { traces: plan("traces"), metrics: plan("metrics"), logs: plan("logs") };
  return { memory, exports, plans };
}

/** Writes plans in the form that the walk reads. */
class Plans {
  readonly #view: DataView;
  readonly #places = new Map<Plan, number>();
  #free = plansAt;
  #freeForModel = modelsAt;

  constructor(memory: ArrayBuffer) {
    this.#view = new DataView(memory);
  }

  place(plan: Plan): number {
    const known = this.#places.get(plan);
    if (known !== undefined) return known;
    const at = this.#free;
    this.#places.set(plan, at); // before its children: AnyValue holds itself
    const { isItem, actions, children } = plan;
    const view = this.#view;
    const childrenAt = at + 8 + actions.length;
    this.#free = childrenAt + 4 * children.length;
    if (isItem) {
      view.setUint32(at, this.#freeForModel, true);
      this.#freeForModel += modelBytes;
    }
    view.setUint32(at + 4, actions.length, true);
    actions.forEach((action, tag) => view.setUint8(at + 8 + tag, action));
    children.forEach((child, number) => {
      if (child) view.setUint32(childrenAt + 4 * number, this.place(child), true);
    });
    return at;
  }
}
