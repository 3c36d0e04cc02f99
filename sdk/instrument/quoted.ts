// Databases quote values in their errors: `Duplicate entry 'jane@example.com' for key 'email'`. What stands in quotes
// is left out of what spans tell of them.

import type {
  Context,
  Exception,
  Span,
  SpanOptions,
  SpanStatus,
  TimeInput,
  Tracer,
} from "@opentelemetry/api";

/** Instrumentations that have no way to say so themselves. */
const quoting = /^@opentelemetry\/instrumentation-(knex|mongodb|mongoose|mysql2)$/;

/** The tracer for a scope, whose spans keep quiet about values if it is that of a database. */
export function withoutValues(scope: string, tracer: Tracer): Tracer {
  if (!quoting.test(scope)) return tracer;
  return {
    startSpan: (name, options, context) => keepValuesOut(tracer.startSpan(name, options, context)),
    startActiveSpan<Call extends (span: Span) => unknown>(
      name: string,
      ...args: [Call] | [SpanOptions, Call] | [SpanOptions, Context, Call]
    ): ReturnType<Call> {
      const call = args.at(-1) as (span: Span) => ReturnType<Call>; // by the three signatures
      const quiet = (span: Span): ReturnType<Call> => call(keepValuesOut(span));
      const [options = {}, context] = args.slice(0, -1) as [SpanOptions?, Context?];
      if (context === undefined) return tracer.startActiveSpan(name, options, quiet);
      return tracer.startActiveSpan(name, options, context, quiet);
    },
  };
}

export function keepValuesOut(span: Span): Span {
  const setStatus = span.setStatus.bind(span);
  span.setStatus = ({ code, message }: SpanStatus) => {
    setStatus(message === undefined ? { code } : { code, message: withoutQuoted(message) });
    return span;
  };
  const recordException = span.recordException.bind(span);
  span.recordException = (exception: Exception, time?: TimeInput) => {
    recordException(withoutQuotedMessage(exception), time);
  };
  return span;
}

function withoutQuotedMessage(exception: Exception): Exception {
  if (typeof exception === "string") return withoutQuoted(exception);
  const { code, name, message, stack } = exception;
  if (message === undefined) return exception;
  const quiet = withoutQuoted(message);
  return {
    message: quiet,
    ...(code === undefined ? undefined : { code }),
    ...(name === undefined ? undefined : { name }),
    ...(stack === undefined ? undefined : { stack: stack.replace(message, () => quiet) }),
  };
}

function withoutQuoted(text: string): string {
  return text.replaceAll(/"[^"]*"|'[^']*'/g, "?");
}
