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

export class NamesShown {
  readonly families: readonly ShownFamily[];
  /** For each name in the scrape the family that has it. */
  readonly #owners = new Map<string, Family>();

  /** A family whose name has become that of another is left out of the scrape. */
  constructor(store: Store, escaping: Escaping) {
    const families: ShownFamily[] = [];
    for (const family of store.families.values()) {
      const name = store.naming.isUtf8 ? escapeName(family.name, escaping) : family.name;
      const names = sampleNames(name, family.type);
      if (names.some((one) => this.#owners.has(one) || one === "target_info")) continue;
      for (const one of names) this.#owners.set(one, family);
      families.push({ family, name });
    }
    this.families = families;
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
