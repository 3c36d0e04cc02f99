// What was left out of a delivery and why, told in few words however much it is.

import type { Outcome, RejectedItem } from "../output.ts";
import type { Problem } from "./series.ts";

const maxCauses = 100;
const maxTold = 3;
const maxNameTold = 100;

/** Of a point: the batch that it came in, and its metric there. */
export interface Place {
  readonly position: number;
  readonly index: number;
}

export class Rejections {
  /** Where what is added next stands: the batch, and the metric in it. */
  position = 0;
  index = 0;
  #items = 0;
  readonly #which: Writable<RejectedItem>[] = [];
  readonly #causes = new Map<string, { reason: Problem["reason"]; told: string; items: number }>();

  add(metric: string, { reason, detail }: Problem): void {
    this.#items++;
    // Where there is no room, no metric is more to blame than another.
    const told = reason === "too_large" ? detail : `${shortened(metric)}: ${detail}`;
    const cause = this.#causes.get(told);
    if (cause) cause.items++;
    else if (this.#causes.size < maxCauses) this.#causes.set(told, { reason, told, items: 1 });
    this.#addToMetric(reason, told);
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
    const detail = told.join("; ");
    return { kind: "rejected", reason, detail, items: this.#items, which: this.#which };
  }

  /** Of the points of one metric the first tells the reason. */
  #addToMetric(reason: Problem["reason"], detail: string): void {
    const { position, index } = this;
    const last = this.#which.at(-1);
    if (last?.position === position && last.index === index) last.items = (last.items ?? 0) + 1;
    else this.#which.push({ position, index, items: 1, reason, detail });
  }
}

type Writable<Shape> = { -readonly [Name in keyof Shape]: Shape[Name] };

const shortened = (name: string): string =>
  name.length > maxNameTold ? `${name.slice(0, maxNameTold)}…` : name || "(no name)";
