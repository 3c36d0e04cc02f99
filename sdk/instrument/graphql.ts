// Operations of GraphQL, told by graphql itself since version 17. One span for each, nothing for its fields: what
// they do shows in spans of its own. The document stays here, since people write values into it.

import { load } from "../packages.ts";
import { traceChannel } from "./channel.ts";

interface Execution {
  readonly operationName?: unknown;
  readonly operationType?: unknown;
  readonly result?: { readonly errors?: readonly unknown[] };
}

export function traceGraphql(): void {
  const { SpanStatusCode, trace } = load("@opentelemetry/api");
  const tracer = trace.getTracer("sonde/graphql");
  for (const channel of ["graphql:execute", "graphql:subscribe"]) {
    traceChannel<Execution>(channel, {
      // The operation's name is the caller's to choose, so it is no part of the span's.
      start({ operationName: name, operationType: type }) {
        return tracer.startSpan(typeof type === "string" ? type : "GraphQL Operation", {
          attributes: {
            ...(typeof type === "string" ? { "graphql.operation.type": type } : {}),
            ...(typeof name === "string" ? { "graphql.operation.name": name } : {}),
          },
        });
      },
      finish(span, { result }) {
        const errors = result?.errors?.length ?? 0;
        if (errors === 0) return;
        span.setAttribute("error.type", "GraphQLError");
        span.setStatus({ code: SpanStatusCode.ERROR, message: `${errors} errors` });
      },
      describeError(error) {
        const type = error instanceof Error ? error.constructor.name : "_OTHER";
        return { type, message: error instanceof Error ? error.message : "" };
      },
    });
  }
}
