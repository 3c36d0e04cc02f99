// Puts a counter at every place where a program's way parts: into functions, arms of if, ?:, && || ??,
// cases, loops and catches. The text keeps its lines, so that stacks stay true.
//
// Counters of our own instead of V8's coverage or Istanbul's; see docs/fuzzing.md for what was measured.

import { stripTypeScriptTypes } from "node:module";
import { parseAst } from "vitest/node";

export interface Instrumented {
  readonly source: string;
  readonly counters: number;
  /** Strings and numbers of the program, for the dictionary; characters are bytes. */
  readonly words: readonly string[];
}

/** `prologue` makes `__counters` and `__stop`; the counter 0 is how often a loop may turn. */
export function instrument(
  typescript: string,
  prologue: (counters: number) => string,
): Instrumented {
  const code = stripTypeScriptTypes(typescript);
  const edits = new Edits();
  visit(parseAst(code) as unknown as Node, edits);
  const words = [...edits.words];
  return { source: prologue(edits.counters) + edits.apply(code), counters: edits.counters, words };
}

/** Of ESTree, as much as is looked at. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

class Edits {
  counters = 1;
  readonly words = new Set<string>();
  readonly #openings = new Map<number, string>();
  readonly #closings = new Map<number, string>();

  count(): string {
    return `__counters[${this.counters++}]++`;
  }

  /** Parents are visited before their children, so what they put at the same place stands first. */
  open(at: number, text: string): void {
    this.#openings.set(at, (this.#openings.get(at) ?? "") + text);
  }

  close(at: number, text: string): void {
    this.#closings.set(at, text + (this.#closings.get(at) ?? ""));
  }

  apply(code: string): string {
    const places = [...new Set([...this.#openings.keys(), ...this.#closings.keys()])];
    let text = "";
    let from = 0;
    for (const at of places.toSorted((a, b) => a - b)) {
      text +=
        code.slice(from, at) + (this.#closings.get(at) ?? "") + (this.#openings.get(at) ?? "");
      from = at;
    }
    return text + code.slice(from);
  }
}

function visit(node: Node, edits: Edits): void {
  mark(node, edits);
  for (const key in node) {
    const value = node[key];
    if (isNode(value)) visit(value, edits);
    else if (Array.isArray(value)) for (const item of value) if (isNode(item)) visit(item, edits);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

function mark(node: Node, edits: Edits): void {
  switch (node.type) {
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression":
    case "CatchClause":
      return enter(node["body"], edits);
    case "IfStatement":
      if (isNode(node["alternate"])) enter(node["alternate"], edits);
      else edits.close(node.end, ` else ${edits.count()};`);
      return enter(node["consequent"], edits);
    case "ConditionalExpression":
      enter(node["consequent"], edits);
      return enter(node["alternate"], edits);
    case "LogicalExpression":
      return enter(node["right"], edits);
    case "SwitchCase":
      return enterCase(node["consequent"] as readonly Node[], edits);
    case "ForStatement":
    case "ForInStatement":
    case "ForOfStatement":
    case "WhileStatement":
    case "DoWhileStatement":
      return turn(node["body"] as Node, edits);
    case "Literal":
      return keep(node["value"], edits);
    case "ImportDeclaration":
      return;
    default:
  }
}

const longestWord = 32;

/** Characters of words are bytes; a number stands for itself, of four bytes with either end in front. */
function keep(value: unknown, { words }: Edits): void {
  if (typeof value === "string" && value !== "" && value.length <= longestWord) words.add(value);
  if (typeof value !== "number" || !Number.isInteger(value) || value < 2 || value >= 2 ** 32)
    return;
  if (value < 256) words.add(String.fromCharCode(value));
  else {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    words.add(bytes.toString("latin1"));
    words.add(bytes.swap32().toString("latin1"));
  }
}

function enter(body: unknown, edits: Edits): void {
  if (!isNode(body)) return;
  if (body.type === "BlockStatement") edits.open(body.start + 1, `${edits.count()};`);
  else if (/Statement$|Declaration$/.test(body.type)) {
    edits.open(body.start, `{${edits.count()};`);
    edits.close(body.end, "}");
  } else {
    edits.open(body.start, `(${edits.count()},`);
    edits.close(body.end, ")");
  }
}

/** A counter as well, and the end of a loop that does not end. */
function turn(body: Node, edits: Edits): void {
  const step = `if(++__counters[${edits.counters++}]>__counters[0])__stop();`;
  if (body.type === "BlockStatement") edits.open(body.start + 1, step);
  else {
    edits.open(body.start, `{${step}`);
    edits.close(body.end, "}");
  }
}

function enterCase([first]: readonly Node[], edits: Edits): void {
  if (!first) return;
  // A block is a scope of its own, other statements share that of the switch.
  edits.open(first.type === "BlockStatement" ? first.start + 1 : first.start, `${edits.count()};`);
}
