// What was left out of a delivery and why, told in few words however much it is.

import type { Outcome } from "../output.ts";
import type { Problem } from "./series.ts";

const maxCauses = 100;
const maxTold = 3;
const maxNameTold = 100;

export class Rejections {
  #items = 0;
  readonly #causes = new Map<string, { reason: Problem["reason"]; told: string; items: number }>();

  add(metric: string, { reason, detail }: Problem): void {
    this.#items++;
    // Where there is no room, no metric is more to blame than another.
    const told = reason === "too_large" ? detail : `${shortened(metric)}: ${detail}`;
    const cause = this.#causes.get(told);
    if (cause) cause.items++;
    else if (this.#causes.size < maxCauses) this.#causes.set(told, { reason, told, items: 1 });
  }

  outcome(): Outcome {
    if (this.#items === 0) return { kind: "delivered" };
    const causes = [...this.#causes.values()].toSorted((a, b) => b.items - a.items);
    const told = causes.slice(0, maxTold).map((cause) => cause.told);
    const others = causes.length - told.length;
    if (others > 0)
      told.push(`and ${others}${causes.length === maxCauses ? " or more" : ""} others`);
    // One reason for all; the details say more.
    const reason = causes.every((cause) => cause.reason === "too_large") ? "too_large" : "bad_data";
    return { kind: "rejected", reason, detail: told.join("; "), items: this.#items };
  }
}

const shortened = (name: string): string =>
  name.length > maxNameTold ? `${name.slice(0, maxNameTold)}…` : name || "(no name)";
