// Under which names the families of one scrape stand in it: escaped where the scraper asks for that, and
// each name once, whatever they become.

import { escapeName, type Escaping } from "./escaping.ts";
import type { Family } from "./series.ts";
import { sampleNames, type Store } from "./store.ts";

export interface ShownFamily {
  readonly family: Family;
  /** Of samples; suffixes come behind it. */
  readonly name: string;
}

/** After so many names others get a turn. */
const turnLength = 2000;

export class NamesShown {
  readonly families: ShownFamily[] = [];
  /** For each name in the scrape the family that has it. */
  readonly #owners = new Map<string, Family>();
  readonly #store: Store;
  readonly #escaping: Escaping;

  constructor(store: Store, escaping: Escaping) {
    this.#store = store;
    this.#escaping = escaping;
  }

  /** To be gone through before anything is asked. A family whose name has become that of another is left out. */
  *list(): Generator<void> {
    const { families, naming } = this.#store;
    let seen = 0;
    for (const family of families.values()) {
      if (++seen % turnLength === 0) yield;
      const name = naming.isUtf8 ? escapeName(family.name, this.#escaping) : family.name;
      const names = sampleNames(name, family.type);
      if (names.some((one) => this.#owners.has(one) || one === "target_info")) continue;
      for (const one of names) this.#owners.set(one, family);
      this.families.push({ family, name });
    }
  }

  isFree(name: string): boolean {
    return !this.#owners.has(name);
  }
}

/** Of each target once, as it was described last. */
export function targetInfos(store: Store): string[] {
  const infos = new Map<string, string>();
  for (const { identity, info } of store.targets.values()) if (info) infos.set(identity, info);
  return [...infos.values()];
}
