// Which outputs would write to one file. Two that do cut each other's records off, and so does one that
// writes to a file of the collector's own, by whatever name or link it is called.

import { lstatSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";

export interface OutputFile {
  /** Such as outputs.archive. */
  readonly output: string;
  readonly path: string;
  /** How many are set aside, as `path`.1 and so on; none if it does not grow too large. */
  readonly setAside: number;
}

export interface SharedFile {
  readonly output: string;
  readonly words: string;
}

/** The first of two is right; the second is told. */
export function findShared(
  files: readonly OutputFile[],
  { dataDir, cwd }: { readonly dataDir: string; readonly cwd: string },
): SharedFile[] {
  const own = ["log", "dead", "state", "collector.json"].map((name) => {
    const called = join(dataDir, name);
    return { called, place: placeOf(resolve(cwd, called)) };
  });
  const known: Known[] = [];
  const shared: SharedFile[] = [];
  for (const { output, path, setAside } of files) {
    if (path === "-") continue; // records that are written whole, one behind the other
    const place = placeOf(resolve(cwd, path));
    const found = lookAt(place);
    if (found === "no file") continue;
    const one = { output, place, setAside, id: found?.id };
    const other = known.find((other) => isSame(one, other));
    const owner = own.find((own) => place === own.place || place.startsWith(own.place + sep));
    if (owner) {
      const where = place === owner.place ? owner.called : `in ${owner.called}`;
      shared.push({ output, words: `is ${where}, which is the collector's own; give another` });
    } else if (other) {
      shared.push({ output, words: `is a file of ${other.output} already; give each its own` });
    } else known.push(one);
  }
  return shared;
}

interface Known {
  readonly output: string;
  readonly place: string;
  readonly setAside: number;
  readonly id: string | undefined;
}

function isSame(a: Known, b: Known): boolean {
  if (a.place === b.place || (a.id !== undefined && a.id === b.id)) return true;
  return isSetAside(a.place, b) || isSetAside(b.place, a);
}

/** Whether a file would be moved to this place, over whatever is there. */
function isSetAside(place: string, { place: original, setAside }: Known): boolean {
  if (!place.startsWith(`${original}.`)) return false;
  const age = place.slice(original.length + 1);
  return /^[1-9]\d{0,3}$/.test(age) && Number(age) <= setAside;
}

const mostLinks = 40; // as many as Linux follows

/** Where a path leads, as far as it exists, and by its name from there on: opening it makes the rest. */
function placeOf(path: string, linksLeft = mostLinks): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    if (parent === path) return path;
    const target = linksLeft > 0 ? targetOf(path) : undefined;
    if (target !== undefined) return placeOf(resolve(parent, target), linksLeft - 1);
    return join(placeOf(parent, linksLeft), basename(path));
  }
}

/** Of a link that leads to nothing yet. */
function targetOf(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}

/** One file may have several names. What is none, such as /dev/null, may be written to by many. */
function lookAt(place: string): { readonly id: string } | "no file" | undefined {
  try {
    const found = statSync(place, { bigint: true });
    return found.isFile() ? { id: `${found.dev}:${found.ino}` } : "no file";
  } catch {
    return undefined;
  }
}
