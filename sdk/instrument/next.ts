// Next.js traces itself, with a span of kind SERVER for the request that node:http has one for already and a
// dozen below it. Its tracer is wrapped: the request's span is ours, which takes the route, and of the others
// those are left out that tell of Next's own insides. NEXT_OTEL_VERBOSE=1, Next's own switch, keeps them.

import type {
  Attributes,
  AttributeValue,
  Context,
  Exception,
  Link,
  Span,
  SpanOptions,
  SpanStatus,
  TimeInput,
  Tracer,
} from "@opentelemetry/api";
import { load } from "../packages.ts";
import { Exchange } from "./http-exchange.ts";
import { metadataOf, SpanScope } from "./http-scope.ts";

/** What Next finds, loads and prepares before it comes to what the app has written. */
const insides =
  /^(NextNodeServer|LoadComponents|RouteModule|AppRouteRouteModule|Instrumentation)\./;
/** What is rendered in place of a page. */
const errorPages = /^\/(404|500|_error|_not-found|_global-error)$/;
const mostExchanges = 1000;

export class NextTracer implements Tracer {
  readonly #tracer: Tracer;
  readonly #isVerbose = process.env["NEXT_OTEL_VERBOSE"] === "1";
  /**
   * By the id of their spans. After a middleware Next goes on with the trace that it has written into the
   * request's headers, and so as if the request came from elsewhere.
   */
  readonly #exchanges = new Map<string, Exchange>();

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  startSpan(name: string, options?: SpanOptions, given?: Context): Span {
    const scope = given ?? load("@opentelemetry/api").context.active();
    const span = this.#replacement(name, options, scope);
    return span ?? this.#tracer.startSpan(...describedAnew(name, options), scope);
  }

  startActiveSpan<Call extends (span: Span) => unknown>(
    name: string,
    ...args: [Call] | [SpanOptions, Call] | [SpanOptions, Context, Call]
  ): ReturnType<Call> {
    const { context } = load("@opentelemetry/api");
    const call = args.at(-1) as (span: Span) => ReturnType<Call>; // by the three signatures
    const options = args.length > 1 ? (args[0] as SpanOptions) : undefined;
    const scope = args.length > 2 ? (args[1] as Context) : context.active();
    const span = this.#replacement(name, options, scope);
    if (span === undefined) {
      return this.#tracer.startActiveSpan(...describedAnew(name, options), scope, call);
    }
    const inner = span instanceof RequestSpan ? new SpanScope(scope, span, span.exchange) : scope;
    return context.with(inner, call, undefined, span);
  }

  /** What stands for a span that is none of its own; undefined for the others. */
  #replacement(name: string, options: SpanOptions | undefined, scope: Context): Span | undefined {
    const { INVALID_SPAN_CONTEXT, SpanKind, trace } = load("@opentelemetry/api");
    const exchange = this.#exchangeIn(scope);
    const { attributes, kind } = options ?? {};
    const type = String(attributes?.["next.span_type"]);
    if (exchange) takeRoute(exchange, type, attributes?.["next.route"] ?? routeIn(name));
    if (kind === SpanKind.SERVER && exchange) return this.#adopted(exchange);
    if (this.#isVerbose || !insides.test(type)) return undefined;
    return trace.wrapSpanContext(trace.getSpanContext(scope) ?? INVALID_SPAN_CONTEXT);
  }

  #adopted(exchange: Exchange): Span {
    for (const [id, { isEnded }] of this.#exchanges) {
      if (!isEnded && this.#exchanges.size < mostExchanges) break;
      this.#exchanges.delete(id);
    }
    this.#exchanges.set(exchange.span.spanContext().spanId, exchange);
    return new RequestSpan(exchange);
  }

  #exchangeIn(scope: Context): Exchange | undefined {
    const metadata = metadataOf(scope);
    if (metadata instanceof Exchange) return metadata;
    const parent = load("@opentelemetry/api").trace.getSpanContext(scope);
    return parent && this.#exchanges.get(parent.spanId);
  }
}

/** Of candidates that Next tries the last is it; what they lead to says the same route once more. */
function takeRoute(exchange: Exchange, type: string, route: unknown): void {
  if (typeof route !== "string" || errorPages.test(route)) return;
  if (type === "NextNodeServer.findPageComponents") exchange.route = route;
  else exchange.route ??= route;
}

/** A route of the pages' API is told by the name alone, before it is answered. */
function routeIn(name: string): string | undefined {
  return /^executing api route \(pages\) (\/.*)$/.exec(name)?.[1];
}

/**
 * `fetch GET https://…` is no name for many. It tells whether the answer came from a cache; the request itself,
 * if there is one, has a span of ours below.
 */
function describedAnew(name: string, options: SpanOptions | undefined): [string, SpanOptions] {
  const { attributes } = options ?? {};
  if (attributes?.["next.span_type"] !== "AppRender.fetch") return [name, options ?? {}];
  const named = `fetch ${String(attributes["http.method"])}`;
  const { SpanKind } = load("@opentelemetry/api");
  const changes = {
    kind: SpanKind.INTERNAL,
    attributes: { ...attributes, "next.span_name": named },
  };
  return [named, { ...options, ...changes }];
}

/** Told by our own span, by the conventions of today. */
const known = new Set([
  "error.type",
  "http.method",
  "http.route",
  "http.status_code",
  "http.target",
  "next.route",
  "next.bubble",
  "next.span_name",
]);

/** The request's span as Next sees it: what its name and end are is known better below. */
class RequestSpan implements Span {
  readonly exchange: Exchange;

  constructor(exchange: Exchange) {
    this.exchange = exchange;
  }

  spanContext() {
    return this.exchange.span.spanContext();
  }

  isRecording(): boolean {
    return this.exchange.span.isRecording();
  }

  setAttribute(name: string, value: AttributeValue): this {
    return this.setAttributes({ [name]: value });
  }

  setAttributes(attributes: Attributes): this {
    const { span } = this.exchange;
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (name === "http.route" && typeof value === "string") this.exchange.route = value;
      else if (!known.has(name) && value !== undefined) span.setAttribute(name, value);
    }
    return this;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    this.exchange.span.recordException(exception, time);
  }

  addEvent(...args: Parameters<Span["addEvent"]>): this {
    this.exchange.span.addEvent(...args);
    return this;
  }

  addLink(link: Link): this {
    this.exchange.span.addLink(link);
    return this;
  }

  addLinks(links: Link[]): this {
    this.exchange.span.addLinks(links);
    return this;
  }

  setStatus(status: SpanStatus): this {
    this.exchange.span.setStatus(status);
    return this;
  }

  updateName(): this {
    return this;
  }

  end(): void {}
}
