// A configuration file of OpenTelemetry: YAML 1.2 in which ${NAME} and ${NAME:-default} stand for variables
// of the environment. Scalars are replaced after parsing, so a variable can never add structure; types are
// decided after replacing, so that `${LIMIT}` is a number and "${LIMIT}" is text.

import type { Document, Scalar } from "yaml";
import { load } from "../packages.ts";
import { messageOf } from "../tell.ts";
import { quoted } from "../values.ts";

export type Path = readonly (string | number)[];

/** What is wrong, and where in the file. */
export class ConfigProblem extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

export interface ConfigDocument {
  readonly value: unknown;
  /** The variables that it refers to. */
  readonly variables: ReadonlySet<string>;
  /** Of the value, or of the nearest one around it that is in the file. */
  lineOf(path: Path): number;
}

export function parseDocument(text: string, environment: NodeJS.ProcessEnv): ConfigDocument {
  const { LineCounter, parseDocument } = load("yaml");
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: "1.2",
    merge: true,
    lineCounter: lines,
    logLevel: "silent",
    prettyErrors: false,
  });
  const [error] = document.errors;
  if (error) {
    throw new ConfigProblem(lines.linePos(error.pos[0]).line, error.message.split("\n", 1)[0]!);
  }
  const lineAt = (node: unknown): number | undefined => {
    const { range } = (node ?? {}) as { range?: readonly number[] | null }; // every node of yaml has it
    return range ? lines.linePos(range[0]!).line : undefined;
  };
  const variables = substitute(document, environment, lineAt);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new ConfigProblem(1, messageOf(error));
  }
  return {
    value,
    variables,
    lineOf(path) {
      for (let length = path.length; length > 0; length--) {
        const line = lineAt(document.getIn(path.slice(0, length), true));
        if (line !== undefined) return line;
      }
      return lineAt(document.contents) ?? 1;
    },
  };
}

function substitute(
  document: Document,
  environment: NodeJS.ProcessEnv,
  lineAt: (node: unknown) => number | undefined,
): ReadonlySet<string> {
  const { isScalar, parse, visit } = load("yaml");
  const variables = new Set<string>();
  const replace = (node: Scalar): void => {
    if (typeof node.value !== "string" || !node.value.includes("$")) return;
    const replaced = resolve(node.value, (name) => {
      variables.add(name);
      return environment[name];
    });
    if (replaced === undefined) {
      const known = "${NAME}, ${NAME:-default}, and $$ for a dollar";
      throw new ConfigProblem(
        lineAt(node) ?? 1,
        `${quoted(node.value)}: what is known is ${known}`,
      );
    }
    if (replaced === node.value) return;
    node.value = node.type === "PLAIN" ? scalarOf(replaced, parse) : replaced;
  };
  visit(document, {
    Scalar(key, node) {
      if (key !== "key" && isScalar(node)) replace(node);
    },
  });
  return variables;
}

/** Undefined if something between ${ and } is no reference. */
function resolve(text: string, valueOf: (name: string) => string | undefined): string | undefined {
  let isInvalid = false;
  const chunks = text.split("$$").map((chunk) =>
    chunk.replaceAll(/\$\{([^}]*)\}/g, (_, reference: string) => {
      const parts = /^(?:env:)?([a-zA-Z_][a-zA-Z0-9_]*)(?::-([^\n]*))?$/.exec(reference);
      isInvalid ||= parts === null;
      return valueOf(parts?.[1] ?? "") || (parts?.[2] ?? "");
    }),
  );
  return isInvalid ? undefined : chunks.join("$");
}

/** A number, boolean or null as YAML would read it there; everything else stays the text it is. */
function scalarOf(text: string, parse: (text: string, options: object) => unknown): unknown {
  try {
    const value = parse(text, { version: "1.2", logLevel: "silent" });
    return value === null || ["number", "boolean"].includes(typeof value) ? value : text;
  } catch {
    return text;
  }
}
