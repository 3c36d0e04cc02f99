// sonde.yaml as a tree of plain values that know their lines. The file is the user's own, but it may be
// generated, cut off or the wrong one: whatever it holds, the answer is a tree or lines that say what is
// wrong, soon, and without words from the file that might be a secret.

import { closeSync, openSync, readSync } from "node:fs";
import type * as Yaml from "yaml";
import type { Alias, Document, LineCounter, Node, Scalar, YAMLMap, YAMLSeq } from "yaml";
import { showName } from "./problem.ts";

/** One value; of a mapping or a list, `entries` has the values in it, those of a list by 0, 1, …. */
export interface FileValue {
  /** Of the name in front of the value, which is what the user looks for. */
  readonly line: number;
  readonly value: unknown;
  readonly entries: ReadonlyMap<string, FileValue>;
  readonly isMapping: boolean;
}

/** What could be read of the file, and what is wrong with it. */
export interface FileContent {
  readonly root: FileValue | undefined;
  readonly problems: readonly FileProblem[];
}

export interface FileProblem {
  readonly line: number;
  readonly column?: number;
  /** Of the setting, where one is to blame. */
  readonly name?: string;
  readonly message: string;
}

export const maxFileBytes = 128 << 10;
/** Values after aliases are replaced by what they stand for, and how deep they may lie. */
export const maxValues = 10_000;
export const maxDepth = 16;
export const maxAliases = 100;
/** Of syntax: after these the rest only follows from them. */
const maxProblems = 10;

/** What is in a file, as text, or what is wrong with it. */
export function readText(path: string, maxBytes: number): { text: string } | { problem: string } {
  let bytes: Uint8Array;
  try {
    bytes = readSome(path, maxBytes + 1);
  } catch (error) {
    return { problem: `cannot be read: ${reasonOf(error)}` };
  }
  if (bytes.length > maxBytes) {
    return { problem: `is too large, at most ${maxBytes} bytes are allowed` };
  }
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return { problem: "is not UTF-8 text" };
  }
}

/** Not all of it, since a device or a pipe may have no end. */
function readSome(path: string, maxBytes: number): Uint8Array {
  const file = openSync(path, "r");
  try {
    const bytes = new Uint8Array(maxBytes);
    let length = 0;
    let read: number;
    do {
      read = readSync(file, bytes, length, maxBytes - length, null);
      length += read;
    } while (read > 0);
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOENT":
      return "no such file";
    case "EACCES":
      return "permission denied";
    case "EISDIR":
      return "it is a folder";
    default:
      return String(code ?? error);
  }
}

/** `yaml` is loaded only by those who have a file: it takes as long to load as a third of the rest. */
export async function parseFile(text: string): Promise<FileContent> {
  const yaml = await import("yaml");
  const lines = new yaml.LineCounter();
  const parsed = yaml.parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false, // they quote the file
    stringKeys: true,
    uniqueKeys: false, // quadratic; see Reading
    logLevel: "error", // silent would take the first of several documents,
  });
  const mistakes = [...parsed.errors.slice(0, maxProblems), ...parsed.warnings.slice(0, 1)];
  if (mistakes.length > 0) {
    const problems = mistakes.map(({ code, message, pos }) => {
      const { line, col: column } = lines.linePos(pos[0]);
      const isUnclosed = code === "BAD_INDENT" && message.startsWith("Flow ");
      return { line, column, message: isUnclosed ? unclosed : (words[code] ?? "is not YAML") };
    });
    return { root: undefined, problems: firstOfEachLine(problems) };
  }
  const reading = new Reading(yaml, parsed, lines);
  const root = reading.read(parsed.contents, { line: 1, depth: 0, name: "" });
  const { problems } = reading;
  if (!reading.isWhole) return { root: undefined, problems };
  if (root.isMapping || root.value === null) return { root, problems };
  return {
    root: undefined,
    problems: [{ line: root.line, message: "is not a group of names with values" }],
  };
}

function firstOfEachLine(problems: readonly FileProblem[]): FileProblem[] {
  const seen = new Set<number>();
  return problems.filter(({ line }) => !seen.has(line) && seen.add(line));
}

/** From the parser's nodes to our tree. The parser's own way (`toJS`) knows neither lines nor limits. */
class Reading {
  readonly problems: FileProblem[] = [];
  /** False if something had to be left out, so that what is left makes no sense. */
  isWhole = true;
  readonly #yaml: typeof Yaml;
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  #values = 0;
  #aliases = 0;

  constructor(yaml: typeof Yaml, document: Document.Parsed, lines: LineCounter) {
    this.#yaml = yaml;
    this.#document = document;
    this.#lines = lines;
  }

  read(node: unknown, spot: Spot): FileValue {
    if (++this.#values > maxValues) return this.#refuse(spot, `has more than ${maxValues} values`);
    if (spot.depth > maxDepth) return this.#refuse(spot, `is more than ${maxDepth} levels deep`);
    const { isAlias, isMap, isSeq, isScalar } = this.#yaml;
    if (isAlias(node)) return this.#readAlias(node, spot);
    if (isMap(node)) return this.#readMapping(node, spot);
    if (isSeq(node)) return this.#readList(node, spot);
    const value = isScalar(node) ? node.value : null;
    if (value !== null && !["string", "number", "boolean"].includes(typeof value)) {
      return this.#refuse(spot, words["TAG_RESOLVE_FAILED"]);
    }
    return { line: spot.line, value, entries: new Map(), isMapping: false };
  }

  /** An alias is looked for in the whole document, so there cannot be many. */
  #readAlias(alias: Alias, spot: Spot): FileValue {
    if (++this.#aliases > maxAliases) {
      return this.#refuse(spot, `is an alias too many, at most ${maxAliases} are allowed`);
    }
    const target = alias.resolve(this.#document);
    if (!target) return this.#refuse(spot, words["BAD_ALIAS"]);
    return this.read(target, { ...spot, depth: spot.depth + 1 });
  }

  #readMapping({ items }: YAMLMap, spot: Spot): FileValue {
    const entries = new Map<string, FileValue>();
    for (const { key, value } of items) {
      const scalar = key as Scalar; // the parser was told that keys are strings
      const title = String(scalar.value);
      const line = this.#lineOf(scalar) ?? spot.line;
      const name = spot.name === "" ? showName(title) : `${spot.name}.${showName(title)}`;
      const first = entries.get(title);
      if (first) {
        const message = `given again, the first is in line ${first.line}`;
        this.problems.push({ line, name, message });
      } else {
        entries.set(title, this.read(value, { line, name, depth: spot.depth + 1 }));
      }
      if (this.#isExhausted()) break;
    }
    const value = Object.fromEntries([...entries].map(([name, entry]) => [name, entry.value]));
    return { line: spot.line, value, entries, isMapping: true };
  }

  #readList({ items }: YAMLSeq, { line: listLine, depth, name }: Spot): FileValue {
    const entries = new Map<string, FileValue>();
    for (const [index, item] of items.entries()) {
      const line = this.#lineOf(item) ?? listLine;
      entries.set(String(index), this.read(item, { line, name, depth: depth + 1 }));
      if (this.#isExhausted()) break;
    }
    const value = [...entries.values()].map((entry) => entry.value);
    return { line: listLine, value, entries, isMapping: false };
  }

  #lineOf(node: unknown): number | undefined {
    const range = this.#yaml.isNode(node) ? (node as Node).range : undefined;
    return range ? this.#lines.linePos(range[0]).line : undefined;
  }

  #isExhausted(): boolean {
    return !this.isWhole || this.problems.length >= maxProblems;
  }

  #refuse({ line, name }: Spot, message = "is not YAML"): FileValue {
    if (this.isWhole) this.problems.push({ line, ...(name !== "" && { name }), message });
    this.isWhole = false;
    return { line, value: null, entries: new Map(), isMapping: false };
  }
}

/** Where the reading is: the line and the name that a message would give. */
interface Spot {
  readonly line: number;
  readonly name: string;
  readonly depth: number;
}

const unclosed = "is within a [ or { that is not closed, or is indented too little";

/** By the parser's code: its own words may hold a piece of the file, and `*` may begin a password. */
const words: Readonly<Record<string, string>> = {
  BAD_ALIAS: "is not an alias; put a text that begins with * in quotes",
  BAD_DIRECTIVE: "is no directive of YAML",
  BAD_DQ_ESCAPE: "has a \\ in double quotes that begins no escape; use single quotes",
  BAD_INDENT: "is indented otherwise than the lines that it belongs to",
  BAD_SCALAR_START: "begins with a character that has a meaning in YAML; put the text in quotes",
  BLOCK_AS_IMPLICIT_KEY: "has two names in one line; put the second into a line of its own",
  DUPLICATE_KEY: "has a name for the second time",
  KEY_OVER_1024_CHARS: "has a name of more than 1024 characters",
  MISSING_CHAR: "lacks a closing quote, bracket, brace, comma or colon",
  MULTILINE_IMPLICIT_KEY: "has no colon after the name",
  MULTIPLE_ANCHORS: "has several anchors; put a text that begins with & in quotes",
  MULTIPLE_DOCS: "begins a second document; a settings file is one",
  MULTIPLE_TAGS: "has several tags; put a text that begins with ! in quotes",
  NON_STRING_KEY: "has a name that is not text",
  RESOURCE_EXHAUSTION: "is nested too deeply",
  TAB_AS_INDENT: "is indented by a tab; use spaces",
  TAG_RESOLVE_FAILED: "has a tag that is not known here; put a text that begins with ! in quotes",
  UNEXPECTED_TOKEN: "has something that does not belong there; is a quote or a bracket missing?",
};
