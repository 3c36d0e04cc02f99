// What an expression is made of once it is read: a tree whose nodes know where they stand in the text.

import { printable, shorten } from "../../wire/printable.ts";
import type { Uint } from "./values.ts";

export type Node =
  | (Span & { readonly kind: "literal"; readonly value: Literal })
  | (Span & { readonly kind: "name"; readonly name: string })
  | (Span & { readonly kind: "select"; readonly of: Node; readonly field: string })
  | (Span & { readonly kind: "index"; readonly of: Node; readonly key: Node })
  | (Span & {
      readonly kind: "call";
      readonly name: string;
      /** `receiver.name(…)`; undefined for `name(…)`. */
      readonly receiver: Node | undefined;
      readonly args: readonly Node[];
    })
  | (Span & { readonly kind: "unary"; readonly operator: "!" | "-"; readonly operand: Node })
  | (Span & {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Node;
      readonly right: Node;
    })
  /** `a || b || c` is one node, so that a long list of alternatives is not a deep tree. */
  | (Span & {
      readonly kind: "logical";
      readonly operator: "&&" | "||";
      readonly terms: readonly Node[];
    })
  | (Span & {
      readonly kind: "choice";
      readonly condition: Node;
      readonly yes: Node;
      readonly no: Node;
    })
  | (Span & { readonly kind: "list"; readonly items: readonly Node[] })
  | (Span & { readonly kind: "map"; readonly entries: readonly (readonly [Node, Node])[] });

export type Literal = null | boolean | bigint | Uint | number | string | Uint8Array;

/** Offsets in the text; for a node with an operator in the middle, `at` is that of the operator. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly at: number;
}

export const binaryOperators = [
  "==",
  "!=",
  "<=",
  ">=",
  "<",
  ">",
  "in",
  "+",
  "-",
  "*",
  "/",
  "%",
] as const;
export type BinaryOperator = (typeof binaryOperators)[number];

/** Of a name or a number in a message. */
const maxShown = 60;
const maxWords = 1000;

/** What stands in the text, for a message about it. */
export function shown(text: string): string {
  return printable(shorten(text, maxShown));
}

/** The user's mistake in an expression. Thrown within this folder; who asked gets it as a value. */
export class ExpressionFault extends Error {
  override readonly name = "ExpressionFault";
  readonly at: number;

  constructor(at: number, words: string) {
    super(shorten(printable(words), maxWords));
    this.at = at;
  }
}

/** `at column 6: …`, with the line if the text has several. */
export function placed(text: string, { at, message }: ExpressionFault): string {
  const before = text.slice(0, at);
  const lines = before.split("\n");
  const column = Array.from(lines.at(-1) ?? "").length + 1;
  const line = text.trimEnd().includes("\n") ? `line ${lines.length}, ` : "";
  return `at ${line}column ${column}: ${message}`;
}
