// The API's tracers: they start spans and hand them on, encoded, as they end.

import type {
  Context,
  Span as ApiSpan,
  SpanKind,
  SpanOptions,
  TracerOptions,
  Tracer as ApiTracer,
  TracerProvider as ApiTracerProvider,
} from "@opentelemetry/api";
import type { Batch, Section } from "../export/batch.ts";
import { load } from "../packages.ts";
import type { Sampler } from "../sampling/sampler.ts";
import { isSuppressed, spanIn, withSpan } from "./context.ts";
import type { Contexts } from "./context.ts";
import { encodeSpan } from "./encode.ts";
import type { SpanLimits } from "./limits.ts";
import { parentOf, Span } from "./span.ts";
import type { ExceptionLog, Recorder } from "./span.ts";
import { optionalText, textOf, valueAt } from "./values.ts";
import type { Attributes } from "./values.ts";

export interface Tracing {
  /** What is active, by whoever manages contexts for the API. */
  readonly contexts: Contexts;
  readonly sampler: Sampler;
  readonly limits: SpanLimits;
  readonly batch: Batch;
  /** Waits until what has ended is sent. */
  readonly flush: () => Promise<void>;
  readonly exceptions?: ExceptionLog | undefined;
  /** For libraries that trace themselves, in another way than we do. */
  readonly adopt?: (scope: string, tracer: ApiTracer) => ApiTracer;
}

/** Apps that make up names would fill the memory with tracers. */
const mostTracers = 1000;

export class TracerProvider implements ApiTracerProvider {
  readonly #tracing: Tracing;
  readonly #tracers = new Map<string, ApiTracer>();

  constructor(tracing: Tracing) {
    this.#tracing = tracing;
  }

  getTracer(name: string, version?: string, options?: TracerOptions): ApiTracer {
    const scope = {
      name: textOf(name ?? ""),
      version: optionalText(version),
      schemaUrl: optionalText(valueAt(options, "schemaUrl")),
    };
    const key = `${scope.name}@${scope.version ?? ""}:${scope.schemaUrl ?? ""}`;
    let tracer = this.#tracers.get(key);
    if (tracer === undefined) {
      const own = new Tracer(this.#tracing, scope);
      tracer = this.#tracing.adopt?.(scope.name, own) ?? own;
      if (this.#tracers.size < mostTracers) this.#tracers.set(key, tracer);
    }
    return tracer;
  }

  forceFlush(): Promise<void> {
    return this.#tracing.flush();
  }

  shutdown(): Promise<void> {
    this.#tracing.batch.close();
    return this.#tracing.flush();
  }
}

export class Tracer implements ApiTracer, Recorder {
  readonly scope: Recorder["scope"];
  readonly limits: SpanLimits;
  readonly exceptions: ExceptionLog | undefined;
  readonly #tracing: Tracing;
  readonly #section: Section;

  constructor(tracing: Tracing, scope: Recorder["scope"]) {
    this.scope = scope;
    this.limits = tracing.limits;
    this.exceptions = tracing.exceptions;
    this.#tracing = tracing;
    this.#section = tracing.batch.section(scope);
  }

  startSpan(name: string, options?: SpanOptions, context?: Context): ApiSpan {
    try {
      return this.#start(name, options ?? {}, context ?? this.#tracing.contexts.active());
    } catch {
      return suppressed(); // options or a context that throw when they are read
    }
  }

  startActiveSpan<Call extends (span: ApiSpan) => unknown>(
    name: string,
    ...args: [Call] | [SpanOptions, Call] | [SpanOptions, Context, Call]
  ): ReturnType<Call> {
    const call = args.at(-1) as Call; // by the three signatures
    const options = args.length > 1 ? (args[0] as SpanOptions) : undefined;
    const given = args.length > 2 ? (args[1] as Context) : undefined;
    const { contexts } = this.#tracing;
    const context = given ?? contexts.active();
    const span = this.startSpan(name, options, context);
    const run = call as (span: ApiSpan) => ReturnType<Call>; // which is what it returns
    return contexts.with(withSpan(context, span), run, undefined, span);
  }

  /** For our own instrumentations: the attributes are the span's from then on. */
  begin(name: string, kind: SpanKind, attributes: Attributes, context: Context): ApiSpan {
    if (isSuppressed(context)) return suppressed();
    const within = attributes.within(this.limits.attributes);
    const span = new Span(this, name, { kind, attributes: within }, parentOf(spanIn(context)));
    this.#tracing.sampler(span);
    return span;
  }

  take(span: Span): void {
    this.#tracing.batch.add(this.#section, encodeSpan, span);
  }

  get instrumentationScope(): Recorder["scope"] {
    return this.scope;
  }

  #start(name: string, options: SpanOptions, context: Context): ApiSpan {
    if (isSuppressed(context)) return suppressed();
    const { attributes, kind, links, startTime } = options;
    const parent = options.root ? undefined : parentOf(spanIn(context));
    const span = new Span(this, name, { kind, startTime }, parent);
    if (attributes !== undefined) span.setAttributes(attributes);
    if (links !== undefined) span.addLinks(links);
    this.#tracing.sampler(span);
    return span;
  }
}

let noSpan: ApiSpan | undefined;

/** Where tracing is suppressed: an invalid span, so that nothing is handed on to others either. */
function suppressed(): ApiSpan {
  const { trace, INVALID_SPAN_CONTEXT } = load("@opentelemetry/api");
  noSpan ??= trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
  return noSpan;
}
