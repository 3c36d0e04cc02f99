// Traces as text, for people and for assertions: a line for each span below its parent. It says the same
// of the same spans in whatever order they came and however long they took.
//
//   GET /orders/:id  server  shop
//   ├─ GET  client  shop
//   │  └─ GET /stock/:id  server  stock
//   └─ price  internal  shop  error: too few

import type { Span } from "./items.ts";

export function tree(spans: readonly Span[]): string {
  const known = new Set(spans.map(({ spanId }) => spanId));
  const byParent = Map.groupBy(spans, ({ parentSpanId = "" }) =>
    known.has(parentSpanId) ? parentSpanId : "",
  );
  const seen = new Set<Span>();
  const lines: string[] = [];
  const below = (parent: string, indent: string): void => {
    const children = (byParent.get(parent) ?? []).filter((span) => !seen.has(span));
    for (const [index, span] of children.toSorted(byStart).entries()) {
      seen.add(span);
      const isLast = index === children.length - 1;
      const isRoot = parent === "";
      lines.push(`${indent}${isRoot ? "" : isLast ? "└─ " : "├─ "}${lineOf(span)}`);
      below(span.spanId, isRoot ? indent : `${indent}${isLast ? "   " : "│  "}`);
    }
  };
  below("", "");
  // Spans that are each other's parents have no root.
  for (const span of spans) {
    if (seen.has(span)) continue;
    seen.add(span);
    lines.push(lineOf(span));
    below(span.spanId, "   ");
  }
  return lines.join("\n");
}

/** By name where two began within the same tick of the clock. */
function byStart(a: Span, b: Span): number {
  return a.startMs - b.startMs || (a.name < b.name ? -1 : 1);
}

function lineOf({ name, kind, service, status, statusMessage }: Span): string {
  const words = [name, kind, service].filter((word) => word !== "");
  if (status === "error") words.push(statusMessage ? `error: ${statusMessage}` : "error");
  return words.join("  ");
}
