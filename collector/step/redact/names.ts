// Which names say that what they name is a secret. A name is judged once and then remembered, since a
// handful of them makes up nearly all that is sent.

import { textOf } from "../../wire/cursor.ts";
import { kindOfName, type NameKind } from "../../wire/secrets.ts";
import { isSame } from "../cel/view.ts";
import { compilePattern, type Matcher } from "../pattern/pattern.ts";

/** How sure a name is. */
export const harmless = 0;
/** Of a query parameter or a setting: `code=…` is a secret there, an attribute called code is not. */
export const parameter = 1;
export const secret = 2;
/** Named by the user: whatever is in it goes, be it a number. */
export const chosen = 3;
/** The user says that it is to be left alone. */
export const allowed = 4;
export type Verdict =
  | typeof harmless
  | typeof parameter
  | typeof secret
  | typeof chosen
  | typeof allowed;

export interface NameRules {
  readonly keys: readonly string[];
  readonly allow: readonly string[];
  readonly isWellKnown: boolean;
}

/** Longer ones are not remembered. */
const maxRemembered = 128;
const places = 1024;

export class Names {
  readonly #keys: Chosen;
  readonly #allow: Chosen;
  readonly #isWellKnown: boolean;
  /** By the hash of the name; a name that falls on another's place takes it. */
  readonly #known: (Uint8Array | undefined)[] = [];
  readonly #verdicts = new Uint8Array(places);

  /** Throws a PatternFault. */
  constructor({ keys, allow, isWellKnown }: NameRules) {
    this.#keys = new Chosen(keys);
    this.#allow = new Chosen(allow);
    this.#isWellKnown = isWellKnown;
  }

  judge(bytes: Uint8Array, start: number, end: number): Verdict {
    const length = end - start;
    if (length > maxRemembered) return this.#think(textOf(bytes, start, end));
    if (length === 0) return harmless;
    // A few bytes tell names apart well enough; those that they do not share a place, and lose by it.
    let hash = Math.imul(length, 31) + bytes[start]!;
    hash = Math.imul(hash, 31) + bytes[start + (length >>> 1)]!;
    hash = Math.imul(hash, 31) + bytes[end - (length > 2 ? 3 : 1)]!;
    hash = Math.imul(hash, 31) + bytes[end - 1]!;
    const place = (hash ^ (hash >>> 10)) & (places - 1);
    const known = this.#known[place];
    if (!known || !isSame(bytes, { start, end }, known)) {
      this.#known[place] = bytes.slice(start, end);
      this.#verdicts[place] = this.#think(textOf(bytes, start, end));
    }
    return this.#verdicts[place] as Verdict; // only verdicts are put in
  }

  #think(given: string): Verdict {
    const name = given.toLowerCase();
    if (this.#allow.has(name)) return allowed;
    if (this.#keys.has(name)) return chosen;
    return this.#isWellKnown ? verdicts[kindOfName(given)] : harmless;
  }
}

const verdicts: Readonly<Record<NameKind, Verdict>> = { harmless, parameter, secret };

/** Names, or patterns between slashes. */
class Chosen {
  readonly #names: ReadonlySet<string>;
  readonly #patterns: readonly Matcher[];

  constructor(given: readonly string[]) {
    this.#names = new Set(given.filter((one) => !isPattern(one)).map((one) => one.toLowerCase()));
    this.#patterns = given
      .filter(isPattern)
      .map((one) => compilePattern(`(?i)${one.slice(1, -1)}`));
  }

  has(name: string): boolean {
    return this.#names.has(name) || this.#patterns.some((pattern) => pattern.test(name));
  }
}

export function isPattern(text: string): boolean {
  return text.length > 2 && text.startsWith("/") && text.endsWith("/");
}
