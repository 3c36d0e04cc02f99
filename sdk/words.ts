// The words of complaints: what the user wrote, made fit for a line, and what may have been meant.

/** Values come from anywhere: a line stays a line, and a short one. */
export function printable(text: string, most = 80): string {
  const clean = text.slice(0, most + 1).replaceAll(/[^ -~]/g, "?");
  return clean.length > most ? `${clean.slice(0, most)}…` : clean;
}

/** Without the password that a URL may hold. */
export function quoted(text: string): string {
  return `"${printable(text.slice(0, 1000).replaceAll(/\/\/[^/@]*@/g, "//REDACTED@"))}"`;
}

/** `; did you mean X?` where one of the names is close enough to be meant. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  if (name.length > 100) return ""; // comparing takes time by the square
  let best = "";
  let bestDistance = Math.min(4, Math.floor(name.length / 3) + 2);
  for (const candidate of candidates) {
    const distance = distanceBetween(name, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best && `; did you mean ${best}?`;
}

/** Levenshtein's: how many letters to add, drop or change. */
function distanceBetween(left: string, right: string): number {
  let above = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const line = [row];
    for (let column = 1; column <= right.length; column++) {
      const change = above[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1);
      line.push(Math.min(change, above[column]! + 1, line[column - 1]! + 1));
    }
    above = line;
  }
  return above[right.length]!;
}
