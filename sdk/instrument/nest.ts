// What is thrown in an app of Nest, whose routes are those of express or fastify. Nest catches it and makes an
// answer of it, so that neither of them ever sees it.

import { exchangeOf } from "./http-exchange.ts";

type Catch = (this: unknown, exception: unknown, host: ArgumentsHost) => unknown;

/** The request, or what fastify has made of it, comes first. */
interface ArgumentsHost {
  getArgByIndex(index: number): unknown;
}

/** The filter for what no filter of the app's own makes an answer of. */
export function noteNestErrors(exports: unknown): void {
  const { BaseExceptionFilter: filter } = exports as {
    readonly BaseExceptionFilter?: { readonly prototype: { catch: Catch } };
  };
  if (filter === undefined || patched.has(filter)) return;
  patched.add(filter);
  const { prototype } = filter;
  const original = prototype.catch;
  prototype.catch = function (exception, host) {
    noteError(exception, host);
    return original.call(this, exception, host);
  };
}

/** Before anything else of its own Nest imports what adds this to Reflect. */
export function isNestRunning(): boolean {
  return "defineMetadata" in Reflect;
}

const patched = new WeakSet<object>();

function noteError(exception: unknown, host: ArgumentsHost): void {
  if (!(exception instanceof Error)) return;
  try {
    const request = host.getArgByIndex(0) as object & { readonly raw?: object };
    const exchange = exchangeOf(request.raw ?? request);
    if (exchange) exchange.thrown = exception;
  } catch {
    // A host of another kind than HTTP's is not the request's affair.
  }
}
