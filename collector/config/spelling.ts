// "Did you mean": the known name that is nearest to a misspelt one, if any is near enough to be meant.

const maxLength = 64; // of either word: the distance costs their product

export function closest(word: string, known: Iterable<string>): string | undefined {
  const wanted = normalize(word);
  if (wanted.length > maxLength) return undefined;
  // One slip in a short name, up to three in a long one: more of them and it is another word.
  let nearest = Math.max(1, Math.min(3, Math.floor(wanted.length / 3))) + 1;
  let found: string | undefined;
  for (const candidate of known) {
    const name = normalize(candidate);
    if (name.length > maxLength || Math.abs(name.length - wanted.length) >= nearest) continue;
    const slips = distance(wanted, name);
    if (slips >= nearest) continue;
    nearest = slips;
    found = candidate;
  }
  return found;
}

/** To be put behind a message: `; did you mean …?` or nothing. */
export function suggestion(word: string, known: Iterable<string>): string {
  const found = closest(word, known);
  return found === undefined ? "" : `; did you mean "${found}"?`;
}

/** `webPort`, `web-port` and `WEB_PORT` are spelt right, only in another style. */
function normalize(name: string): string {
  return name
    .replaceAll(/[a-z](?=[A-Z])/g, "$&_")
    .toLowerCase()
    .replaceAll("-", "_");
}

/** Letters inserted, deleted, replaced or swapped with their neighbour (Damerau-Levenshtein). */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      let cost = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (isSame ? 0 : 1),
      );
      const isSwapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (row > 1 && column > 1 && isSwapped) {
        cost = Math.min(cost, at(beforeLast, column - 2) + 1);
      }
      current.push(cost);
    }
    [beforeLast, last] = [last, current];
  }
  return at(last, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
