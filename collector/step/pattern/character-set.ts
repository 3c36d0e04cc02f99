// Sets of characters as sorted ranges of their numbers, the letters of a pattern.

const maxCode = 0x10_ffff;

type Range = readonly [low: number, high: number];

export class CharacterSet {
  /** Sorted, and with a gap between any two. */
  readonly ranges: readonly Range[];

  constructor(ranges: readonly Range[]) {
    this.ranges = ranges;
  }

  static range(low: number, high: number): CharacterSet {
    return new CharacterSet([[low, high]]);
  }

  static union(sets: readonly CharacterSet[]): CharacterSet {
    const merged: [number, number][] = [];
    const all = sets.flatMap(({ ranges }) => ranges).toSorted((a, b) => a[0] - b[0]);
    for (const [low, high] of all) {
      const last = merged.at(-1);
      if (last && low <= last[1] + 1) last[1] = Math.max(last[1], high);
      else merged.push([low, high]);
    }
    return new CharacterSet(merged);
  }

  negated(): CharacterSet {
    const gaps: Range[] = [];
    let from = 0;
    for (const [low, high] of this.ranges) {
      if (low > from) gaps.push([from, low - 1]);
      from = high + 1;
    }
    if (from <= maxCode) gaps.push([from, maxCode]);
    return new CharacterSet(gaps);
  }

  /** With both cases of each letter. Long ranges are left as they are: they have both already. */
  withoutCase(): CharacterSet {
    const others: CharacterSet[] = [];
    for (const [low, high] of this.ranges) {
      if (high - low > 1000) continue;
      for (let code = low; code <= high; code++) {
        const letter = String.fromCodePoint(code);
        for (const other of [letter.toLowerCase(), letter.toUpperCase()]) {
          const found = other.codePointAt(0) ?? code;
          if (other.length === (found > 0xffff ? 2 : 1))
            others.push(CharacterSet.range(found, found));
        }
      }
    }
    return CharacterSet.union([this, ...others]);
  }

  has(code: number): boolean {
    return this.ranges.some(([low, high]) => code >= low && code <= high);
  }
}

function of(...ranges: readonly string[]): CharacterSet {
  return CharacterSet.union(
    ranges.map((range) =>
      CharacterSet.range(range.charCodeAt(0), range.charCodeAt(range.length - 1)),
    ),
  );
}

const newline = of("\n");

export const named = {
  any: CharacterSet.range(0, maxCode),
  newline,
  notNewline: newline.negated(),
  digit: of("0-9"),
  space: of("\t", "\n", "\f", "\r", " "),
  word: of("0-9", "A-Z", "_", "a-z"),
};

export const posix: ReadonlyMap<string, CharacterSet> = new Map([
  ["alnum", of("0-9", "A-Z", "a-z")],
  ["alpha", of("A-Z", "a-z")],
  ["ascii", of("\0-\x7f")],
  ["blank", of("\t", " ")],
  ["cntrl", of("\0-\x1f", "\x7f")],
  ["digit", of("0-9")],
  ["graph", of("!-~")],
  ["lower", of("a-z")],
  ["print", of(" -~")],
  ["punct", of("!-/", ":-@", "[-`", "{-~")],
  ["space", of("\t-\r", " ")],
  ["upper", of("A-Z")],
  ["word", named.word],
  ["xdigit", of("0-9", "A-F", "a-f")],
]);
