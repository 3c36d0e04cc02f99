// Reads an expression by the grammar of CEL (the Common Expression Language), which fits a page:
//
//   Expr     = Or ["?" Or ":" Expr]          Sum    = Product {("+" | "-") Product}
//   Or       = And {"||" And}                Product= Unary {("*" | "/" | "%") Unary}
//   And      = Relation {"&&" Relation}      Unary  = {"!"} Member | {"-"} Member
//   Relation = Sum {("==" | "<" | …) Sum}    Member = Primary {"." NAME ["(" Args ")"] | "[" Expr "]"}
//
// Left out are messages of protobuf types (`Type{field: value}`) and names that begin with a dot.

import {
  type BinaryOperator,
  binaryOperators,
  ExpressionFault,
  type Node,
  shown,
  type Span,
} from "./syntax.ts";
import { type Token, tokensOf } from "./tokens.ts";
import { minInt } from "./values.ts";

/** Of the tree, and of brackets within one another while it is read: both walks are recursive. */
export const maxDepth = 100;

/** Throws an ExpressionFault. */
export function parseExpression(text: string): Node {
  const parser = new Parser(tokensOf(text));
  return parser.whole();
}

const sums = new Set(["+", "-"]);
const products = new Set(["*", "/", "%"]);
const relations: ReadonlySet<string> = new Set(["==", "!=", "<=", ">=", "<", ">", "in"]);

/** Words that CEL keeps for other languages' sake. */
const reserved = new Set(
  (
    "as break const continue else for function if import let loop package namespace return " +
    "var void while"
  ).split(" "),
);

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #open = 0;
  /** Of the tree below a node; literals and names have none. */
  readonly #depths = new Map<Node, number>();

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Node {
    if (this.#isEnd) throw new ExpressionFault(0, "there is no expression");
    const node = this.#expression();
    if (!this.#isEnd) throw this.#unexpected("the end");
    return node;
  }

  #expression(): Node {
    const condition = this.#or();
    if (!this.#is("?")) return condition;
    const at = this.#take().start;
    const yes = this.#nested(() => this.#or());
    this.#expect(":");
    const no = this.#nested(() => this.#expression());
    const span = { start: condition.start, end: no.end, at };
    return this.#made({ kind: "choice", condition, yes, no, ...span }, [condition, yes, no]);
  }

  #or(): Node {
    return this.#logical("||", () => this.#logical("&&", () => this.#relation()));
  }

  #logical(operator: "||" | "&&", term: () => Node): Node {
    const first = term();
    if (!this.#is(operator)) return first;
    const at = this.#token.start;
    const terms = [first];
    while (this.#is(operator)) {
      this.#take();
      terms.push(term());
    }
    const end = terms.at(-1)?.end ?? at;
    return this.#made({ kind: "logical", operator, terms, start: first.start, end, at }, terms);
  }

  #relation(): Node {
    return this.#chain(relations, () =>
      this.#chain(sums, () => this.#chain(products, () => this.#unary())),
    );
  }

  #chain(operators: ReadonlySet<string>, operand: () => Node): Node {
    let left = operand();
    while (this.#token.kind === "sign" && operators.has(this.#token.text)) {
      const { text, start: at } = this.#take();
      const right = operand();
      const span = { start: left.start, end: right.end, at };
      const operator = binaryOperators.find((known) => known === text) as BinaryOperator;
      left = this.#made({ kind: "binary", operator, left, right, ...span }, [left, right]);
    }
    return left;
  }

  #unary(): Node {
    const signs: Token[] = [];
    while (this.#is("!") || this.#is("-")) {
      const sign = this.#take();
      if (signs.length > 0 && signs[0]?.text !== sign.text) {
        throw new ExpressionFault(sign.start, "put what is negated into ( )");
      }
      signs.push(sign);
    }
    const isMinus = signs.at(-1)?.text === "-";
    let node = this.#member(isMinus);
    // The smallest integer can only be written with its minus as part of it.
    if (isMinus && node.kind === "literal" && typeof node.value === "bigint" && node.value >= 0n) {
      const { start } = signs.pop()!;
      node = { ...node, value: -node.value, start, at: start };
    }
    for (const { text, start } of signs.toReversed()) {
      const operator = text === "!" ? "!" : "-";
      const operand = node;
      node = this.#made({ kind: "unary", operator, operand, start, end: operand.end, at: start }, [
        operand,
      ]);
    }
    return node;
  }

  #member(isNegated: boolean): Node {
    let node = this.#primary(isNegated);
    for (;;) {
      if (this.#is(".")) {
        this.#take();
        node = this.#selected(node);
      } else if (this.#is("[")) {
        this.#take();
        const key = this.#nested(() => this.#expression());
        const { end } = this.#expect("]");
        const span = { start: node.start, end, at: key.start };
        node = this.#made({ kind: "index", of: node, key, ...span }, [node, key]);
      } else return node;
    }
  }

  #selected(of: Node): Node {
    const { kind, text, start: at, end } = this.#token;
    if (kind !== "name" && kind !== "quoted name" && !/^[a-z]+$/.test(text)) {
      throw this.#unexpected("a name");
    }
    this.#take();
    if (kind !== "quoted name" && this.#is("(")) {
      const args = this.#list("(", ")");
      const span = { start: of.start, end: this.#endOfLast(), at };
      return this.#made({ kind: "call", name: text, receiver: of, args, ...span }, [of, ...args]);
    }
    return this.#made({ kind: "select", of, field: text, start: of.start, end, at }, [of]);
  }

  #primary(isNegated: boolean): Node {
    const { kind, text, value, start, end } = this.#token;
    const span: Span = { start, end, at: start };
    if (kind === "literal") {
      this.#take();
      if (value === -minInt && !isNegated) {
        throw new ExpressionFault(start, `${shown(text)} has more than 64 bits`);
      }
      return { kind: "literal", value, ...span };
    }
    if (kind === "name") return this.#named(span);
    if (this.#is("(")) {
      this.#take();
      const inner = this.#nested(() => this.#expression());
      this.#expect(")");
      return inner;
    }
    if (this.#is("[")) {
      const items = this.#list("[", "]");
      return this.#made({ kind: "list", items, ...span, end: this.#endOfLast() }, items);
    }
    if (this.#is("{")) {
      const entries = this.#entries();
      return this.#made({ kind: "map", entries, ...span, end: this.#endOfLast() }, entries.flat());
    }
    throw this.#unexpected("a value");
  }

  #named(span: Span): Node {
    const name = this.#take().text;
    if (reserved.has(name)) throw new ExpressionFault(span.at, `${name} is a reserved word`);
    if (!this.#is("(")) return { kind: "name", name, ...span };
    const args = this.#list("(", ")");
    const end = this.#endOfLast();
    return this.#made({ kind: "call", name, receiver: undefined, args, ...span, end }, args);
  }

  #list(opening: "(" | "[", closing: ")" | "]"): Node[] {
    this.#expect(opening);
    const items: Node[] = [];
    while (!this.#is(closing)) {
      items.push(this.#nested(() => this.#expression()));
      if (!this.#is(",")) break;
      this.#take();
      if (this.#is(")")) throw this.#unexpected("a value");
    }
    this.#expect(closing);
    return items;
  }

  #entries(): (readonly [Node, Node])[] {
    this.#expect("{");
    const entries: (readonly [Node, Node])[] = [];
    while (!this.#is("}")) {
      const key = this.#nested(() => this.#expression());
      this.#expect(":");
      entries.push([key, this.#nested(() => this.#expression())]);
      if (!this.#is(",")) break;
      this.#take();
    }
    this.#expect("}");
    return entries;
  }

  #nested<Result>(read: () => Result): Result {
    if (++this.#open > maxDepth) throw tooDeep(this.#token.start);
    const result = read();
    this.#open--;
    return result;
  }

  #made(node: Node, children: readonly Node[]): Node {
    const depth = 1 + Math.max(0, ...children.map((child) => this.#depths.get(child) ?? 0));
    if (depth > maxDepth) throw tooDeep(node.at);
    this.#depths.set(node, depth);
    return node;
  }

  get #token(): Token {
    return this.#tokens[this.#next]!; // the last one is the end, which nobody takes
  }

  get #isEnd(): boolean {
    return this.#token.kind === "end";
  }

  #is(sign: string): boolean {
    return this.#token.kind === "sign" && this.#token.text === sign;
  }

  #take(): Token {
    const token = this.#token;
    this.#next++;
    return token;
  }

  #expect(sign: string): Token {
    if (!this.#is(sign)) throw this.#unexpected(`"${sign}"`);
    return this.#take();
  }

  #endOfLast(): number {
    return this.#tokens[this.#next - 1]?.end ?? 0;
  }

  #unexpected(wanted: string): ExpressionFault {
    const { kind, text, start } = this.#token;
    const found = kind === "end" ? "the end" : kind === "literal" ? "a value" : `"${shown(text)}"`;
    return new ExpressionFault(start, `${found} where ${wanted} is expected`);
  }
}

function tooDeep(at: number): ExpressionFault {
  return new ExpressionFault(at, `is nested too deeply, at most ${maxDepth} levels are allowed`);
}
