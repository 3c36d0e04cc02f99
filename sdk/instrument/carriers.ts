// The context that a request brings in its headers.

import type { Context, TextMapGetter } from "@opentelemetry/api";
import { load } from "../packages.ts";

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Gives what takes it out. Most requests bring none, which a look for each header of the propagators tells
 * sooner than the propagators do; one with headers that it does not name beforehand is always asked.
 */
export function contextExtractor(): (headers: Headers) => Context {
  const { propagation, ROOT_CONTEXT } = load("@opentelemetry/api");
  let fields: readonly string[] | undefined;
  let areAll = false;
  const getter: TextMapGetter<Headers> = {
    keys: (headers) => Object.keys(headers),
    get: (headers, key) => headers[key],
  };
  return (headers) => {
    if (fields === undefined) {
      fields = propagation.fields().map((field) => field.toLowerCase());
      areAll = fields.length > 0 && fields.every((field) => complete.test(field));
    }
    if (areAll && !fields.some((field) => headers[field] !== undefined)) return ROOT_CONTEXT;
    return propagation.extract(ROOT_CONTEXT, headers, getter);
  };
}

/** Of propagators whose fields are all that they read. */
const complete = /^(traceparent|tracestate|baggage|b3|x-b3-.*|x-amzn-trace-id)$/;
