// Looking at dead letters and throwing them away. Looking is reading the files, which is safe at any
// time; changing them is for who owns them: the collector, or who holds its lock.

import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { batchIn, type DeadLine, idOf, readLines } from "../output/dead-letter-file.ts";
import type { DeadLetter } from "../output/dead-letter.ts";
import { DeadLetters } from "../output/dead-letters.ts";
import { toJson } from "../wire/to-json.ts";

/** As the API answers them. */
export interface DeadList {
  readonly outputs: readonly DeadSummary[];
}

export interface DeadSummary {
  readonly output: string;
  readonly letters: number;
  readonly items: number;
  /** Of the file. */
  readonly bytes: number;
  readonly reasons: readonly ReasonCount[];
  readonly oldest: string | undefined;
  readonly newest: string | undefined;
  /** Lines that are no letters: torn, damaged, or of another version. */
  readonly unreadable: number;
}

export interface ReasonCount {
  readonly reason: string;
  readonly letters: number;
  readonly items: number;
}

export interface DeadShown {
  readonly output: string;
  /** The newest of them, the newest last. */
  readonly letters: readonly ShownLetter[];
  /** How many there are. */
  readonly total: number;
  readonly unreadable: number;
}

export interface ShownLetter extends Omit<DeadLetter, "request"> {
  readonly id: string;
  readonly attempts: number;
  /** Of the request in protobuf. */
  readonly bytes: number;
  /** The request as OTLP/JSON; absent where it is long and not all was asked for, or unreadable. */
  readonly record?: unknown;
}

export interface Dropped {
  readonly dropped: number;
  readonly items: number;
  readonly left: number;
  readonly unreadable: number;
}

/** What an output may be called; nothing else becomes part of a path. */
const outputName = /^[a-z][a-z0-9_-]{0,63}$/;

export function deadFile(dataDir: string, output: string): string | undefined {
  return outputName.test(output) ? join(dataDir, "dead", `${output}.jsonl`) : undefined;
}

/** Outputs that have letters, configured or not. */
export async function listDead(dataDir: string): Promise<DeadList> {
  const outputs: DeadSummary[] = [];
  for (const output of await outputsWithLetters(dataDir)) {
    const summary = await summarize(dataDir, output);
    if (summary.letters > 0 || summary.unreadable > 0) outputs.push(summary);
  }
  return { outputs };
}

export interface ShowOptions {
  readonly limit: number;
  /** Only these, if it is given. */
  readonly ids?: ReadonlySet<string> | undefined;
  /** Also records that are long. */
  readonly isFull: boolean;
}

/** The rest of the letter is shown in any case. */
const longRecordBytes = 64 << 10;
/** Of an answer: what makes it longer is left out, from the oldest on. */
const mostRecordBytes = 64 << 20;

export async function showDead(
  dataDir: string,
  output: string,
  { limit, ids, isFull }: ShowOptions,
): Promise<DeadShown> {
  // The last ones are wanted, and only their places are remembered on the way there.
  const places: { readonly offset: number; readonly end: number }[] = [];
  let total = 0;
  let unreadable = 0;
  const file = await readingOf(dataDir, output);
  if (!file) return { output, letters: [], total, unreadable };
  try {
    for await (const { letter, offset, bytes } of readLines(file.handle, 0, file.size)) {
      if (!letter) unreadable++;
      else if (!ids || ids.has(idOf(letter))) {
        total++;
        places.push({ offset, end: offset + bytes.length });
        if (places.length > limit) places.shift();
      }
    }
    const letters: ShownLetter[] = [];
    let room = mostRecordBytes;
    for (const { offset, end } of places.toReversed()) {
      if (letters.length > 0 && end - offset > room) break;
      room -= end - offset;
      for await (const { letter } of readLines(file.handle, offset, end)) {
        if (letter) letters.unshift(shown(letter, isFull));
      }
    }
    return { output, letters, total, unreadable };
  } finally {
    await file.handle.close();
  }
}

/** All letters unless there are ids. Lines that are no letters stay: they may be worth a look. */
export async function dropDead(
  deadLetters: DeadLetters,
  ids: ReadonlySet<string> | undefined,
): Promise<Dropped> {
  const result = { dropped: 0, items: 0, left: 0, unreadable: 0 };
  await deadLetters.revise(async (lines, keep) => {
    for await (const { letter, bytes } of lines) {
      if (letter && (!ids || ids.has(idOf(letter)))) {
        result.dropped++;
        result.items += letter.items;
        continue;
      }
      if (letter) result.left++;
      else result.unreadable++;
      await keep(bytes);
    }
  });
  return result;
}

/** Where nobody else has the file: no collector runs, or none of its outputs has this name. */
export async function dropDeadAt(
  path: string,
  ids: ReadonlySet<string> | undefined,
): Promise<Dropped> {
  const deadLetters = new DeadLetters(path);
  try {
    return await dropDead(deadLetters, ids);
  } finally {
    await deadLetters.close();
  }
}

export async function outputsWithLetters(dataDir: string): Promise<readonly string[]> {
  const files = await readdir(join(dataDir, "dead")).catch(noFile);
  const names = (files ?? []).map((file) => file.replace(/\.jsonl$/, ""));
  return names.filter((name, index) => name !== files?.[index] && outputName.test(name)).toSorted();
}

async function summarize(dataDir: string, output: string): Promise<DeadSummary> {
  const reasons = new Map<string, ReasonCount>();
  let letters = 0;
  let items = 0;
  let unreadable = 0;
  let oldest: string | undefined;
  let newest: string | undefined;
  const file = await readingOf(dataDir, output);
  const lines = file ? readLines(file.handle, 0, file.size) : noLines;
  try {
    for await (const { letter } of lines) {
      if (!letter) {
        unreadable++;
        continue;
      }
      letters++;
      items += letter.items;
      const { reason, at } = letter;
      const known = reasons.get(reason);
      const count = {
        letters: (known?.letters ?? 0) + 1,
        items: (known?.items ?? 0) + letter.items,
      };
      reasons.set(reason, { reason, ...count });
      if (oldest === undefined || at < oldest) oldest = at;
      if (newest === undefined || at > newest) newest = at;
    }
  } finally {
    await file?.handle.close();
  }
  const counts = [...reasons.values()].toSorted((a, b) => b.letters - a.letters);
  const bytes = file?.size ?? 0;
  return { output, letters, items, bytes, reasons: counts, oldest, newest, unreadable };
}

const noLines: readonly DeadLine[] = [];

async function readingOf(dataDir: string, output: string) {
  const path = deadFile(dataDir, output);
  const handle = path === undefined ? undefined : await open(path, "r").catch(noFile);
  return handle && { handle, size: (await handle.stat()).size };
}

function shown(letter: DeadLetter, isFull: boolean): ShownLetter {
  const { request, ...rest } = letter;
  const { attempts = 1 } = letter;
  const bytes = Buffer.byteLength(request, "base64");
  const head = { id: idOf(letter), ...rest, attempts, bytes };
  const batch = isFull || bytes <= longRecordBytes ? batchIn(letter) : undefined;
  if (!batch) return head;
  return { ...head, record: JSON.parse(toJson(batch.signal, batch.bytes)) as unknown };
}

function noFile(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT") return undefined;
  throw error;
}
