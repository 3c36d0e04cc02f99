// A span: what the app says about it until it ends. Nothing the app passes makes it throw.

import type {
  HrTime,
  Link,
  Span as ApiSpan,
  SpanContext,
  SpanStatus,
  TimeInput,
  TraceState,
} from "@opentelemetry/api";
import { anchorFor, hrTimeOf, isBefore, isTime, monotonicMs, readTime } from "./clock.ts";
import { describeException } from "./exception.ts";
import { hexOf, isId, partAt, randomPart } from "./ids.ts";
import type { SpanLimits } from "./limits.ts";
import { Attributes, cut, mostCharacters, plain, textOf } from "./values.ts";

/** What the spans of a tracer have in common. */
export interface Recorder {
  readonly limits: SpanLimits;
  readonly scope: {
    readonly name: string;
    readonly version: string | undefined;
    readonly schemaUrl: string | undefined;
  };
  /** Called once for a sampled span that ends. */
  take(span: Span): void;
  /** Where exceptions are told beside events, or in their place. */
  readonly exceptions?: ExceptionLog | undefined;
}

export interface ExceptionLog {
  readonly areEventsToo: boolean;
  tell(span: Span, exception: unknown, time: TimeInput | undefined): void;
}

interface Start {
  readonly kind: unknown;
  readonly startTime?: unknown;
  /** Within the limits, and from now on the span's. */
  readonly attributes?: Attributes;
}

/** With the numbers of the API, whose enum would have to be loaded. */
interface Status {
  readonly code: number;
  readonly message?: string | undefined;
}

export interface Event {
  readonly name: string;
  readonly time: HrTime;
  readonly attributes: Attributes;
}

export interface KeptLink {
  readonly context: SpanContext;
  readonly traceState: string;
  readonly attributes: Attributes;
}

/** Given at once: a list may be an array with holes to the horizon, or not end at all. */
const mostLinks = 1000;

const unset = 0;
const ok = 1;
const error = 2;
const none: readonly never[] = Object.freeze([]);
const unsetStatus: Status = Object.freeze({ code: unset });
const notYet: HrTime = [0, 0];
const noAttributes = new Attributes();

export class Span implements ApiSpan {
  name: string;
  readonly kind: number;
  /** The trace's id in four parts, this span's and the parent's in two. */
  readonly trace: readonly [number, number, number, number];
  readonly idHigh = randomPart();
  readonly idLow = randomPart() || 1;
  parentHigh = 0;
  parentLow = 0;
  hasParent = false;
  isParentSampled = false;
  isParentRemote = false;
  traceState: TraceState | undefined;
  /** What the trace state says, once the span has ended: the app's own code tells it, so not while encoding. */
  traceStateText = "";
  isSampled = true;
  readonly anchorMs: number;
  startTime: HrTime;
  endTime: HrTime = notYet;
  kept: Attributes;
  status: Status = unsetStatus;
  droppedEventsCount = 0;
  droppedLinksCount = 0;
  ended = false;
  readonly recorder: Recorder;
  readonly #startMs: number;
  /** Its end is then the wall clock's too: what the monotonic one says is about another start. */
  readonly #isStartGiven: boolean;
  #context: SpanContext | undefined;
  /** Most spans have none. */
  #events: Event[] | undefined;
  #links: KeptLink[] | undefined;

  constructor(
    recorder: Recorder,
    name: unknown,
    { kind, startTime, attributes }: Start,
    parent: Span | SpanContext | undefined,
  ) {
    this.recorder = recorder;
    this.name = nameOf(name);
    this.kept = attributes ?? new Attributes();
    this.kind = typeof kind === "number" && kind > 0 && kind <= 4 ? Math.floor(kind) : 0;
    this.#startMs = monotonicMs();
    if (parent === undefined) {
      this.trace = [randomPart(), randomPart(), randomPart(), randomPart() || 1];
      this.anchorMs = anchorFor(this.#startMs);
    } else if (parent instanceof Span) {
      // Nothing of the parent is kept: a chain of children would keep all that ever were.
      this.trace = parent.trace;
      this.parentHigh = parent.idHigh;
      this.parentLow = parent.idLow;
      this.traceState = parent.traceState;
      this.hasParent = true;
      this.isParentSampled = parent.isSampled;
      this.anchorMs = anchorFor(this.#startMs, parent.anchorMs);
    } else {
      this.trace = partsOf(parent.traceId);
      this.parentHigh = partAt(parent.spanId, 0) | 0;
      this.parentLow = partAt(parent.spanId, 8) | 0;
      this.traceState = parent.traceState;
      this.hasParent = true;
      this.isParentSampled = (parent.traceFlags & 1) === 1;
      this.isParentRemote = parent.isRemote === true;
      this.anchorMs = anchorFor(this.#startMs);
    }
    const given = startTime === undefined ? undefined : readTime(startTime, this.anchorMs);
    this.#isStartGiven = given !== undefined;
    this.startTime = given ?? hrTimeOf(this.anchorMs + this.#startMs);
  }

  spanContext(): SpanContext {
    this.#context ??= contextOf(this, hexOf(this.idHigh) + hexOf(this.idLow), this.isSampled);
    return this.#context;
  }

  /** Says the sampler, as the span starts. */
  drop(): void {
    this.isSampled = false;
    this.#context = undefined;
  }

  isRecording(): boolean {
    return this.isSampled && !this.ended;
  }

  setAttribute(name: string, value: unknown): this {
    if (this.isRecording()) this.kept.set(name, value, this.recorder.limits.attributes);
    return this;
  }

  setAttributes(attributes: unknown): this {
    if (this.isRecording()) this.kept.setAll(attributes, this.recorder.limits.attributes);
    return this;
  }

  addEvent(name: string, attributesOrTime?: unknown, time?: TimeInput): this {
    if (!this.isRecording()) return this;
    const isTimeFirst = isTime(attributesOrTime);
    const attributes = new Attributes();
    if (!isTimeFirst) attributes.setSimple(attributesOrTime, this.recorder.limits.eventAttributes);
    this.#addEvent(name, attributes, isTimeFirst && !isTime(time) ? attributesOrTime : time);
    return this;
  }

  addLink(link: Link): this {
    if (!this.isRecording()) return this;
    const kept = keptLink(link, this.recorder.limits);
    const isFull = this.links.length >= this.recorder.limits.links;
    if (kept === undefined || isFull) this.droppedLinksCount++;
    if (kept === undefined || this.recorder.limits.links === 0) return this;
    const links = (this.#links ??= []);
    if (isFull) links.shift(); // the oldest, as OpenTelemetry's
    links.push(kept);
    return this;
  }

  addLinks(links: readonly Link[]): this {
    if (!this.isRecording()) return this;
    try {
      let rest = mostLinks;
      for (const link of links) {
        if (rest-- === 0) break;
        this.addLink(link);
      }
    } catch {
      // No list, or one that throws.
    }
    return this;
  }

  setStatus(status: SpanStatus): this {
    if (!this.isRecording() || this.status.code === ok) return this;
    try {
      const { code, message }: Status = status;
      if (code === ok) this.status = { code };
      else if (code === error) {
        this.status =
          typeof message === "string" ? { code, message: cut(message, mostCharacters) } : { code };
      }
    } catch {
      // No status.
    }
    return this;
  }

  updateName(name: string): this {
    if (this.isRecording()) this.name = nameOf(name);
    return this;
  }

  recordException(exception: unknown, time?: TimeInput): void {
    if (!this.isRecording()) return;
    const { exceptions } = this.recorder;
    exceptions?.tell(this, exception, time);
    if (exceptions?.areEventsToo === false) return;
    const attributes = new Attributes();
    if (describeException(exception, attributes, this.recorder.limits.eventAttributes)) {
      this.#addEvent("exception", attributes, time);
    }
  }

  end(endTime?: TimeInput): void {
    if (this.ended || !this.isSampled) return;
    this.endTime = this.#timeOf(endTime);
    if (isBefore(this.endTime, this.startTime)) this.endTime = this.startTime;
    this.ended = true;
    if (this.traceState !== undefined) this.traceStateText = stateText(this.traceState);
    this.recorder.take(this);
  }

  /** For whoever has begun it, and has ended it: it has been encoded, but a context may keep it for long. */
  release(): void {
    if (this.ended) this.kept = noAttributes;
  }

  get events(): readonly Event[] {
    return this.#events ?? none;
  }

  get links(): readonly KeptLink[] {
    return this.#links ?? none;
  }

  // What OpenTelemetry's spans can be asked for besides, and samplers and apps do.

  get attributes(): Record<string, unknown> {
    return plain(this.kept);
  }

  get droppedAttributesCount(): number {
    return this.kept.dropped;
  }

  get instrumentationScope(): Recorder["scope"] {
    return this.recorder.scope;
  }

  get parentSpanContext(): SpanContext | undefined {
    if (!this.hasParent) return undefined;
    const parent = contextOf(
      this,
      hexOf(this.parentHigh) + hexOf(this.parentLow),
      this.isParentSampled,
    );
    return this.isParentRemote ? { ...parent, isRemote: true } : parent;
  }

  get duration(): HrTime {
    const seconds = this.endTime[0] - this.startTime[0];
    const nanos = this.endTime[1] - this.startTime[1];
    if (!this.ended) return [-1, -1];
    return nanos < 0 ? [seconds - 1, nanos + 1e9] : [seconds, nanos];
  }

  #addEvent(name: string, attributes: Attributes, time: unknown): void {
    const most = this.recorder.limits.events;
    if (this.events.length >= most) this.droppedEventsCount++;
    if (most === 0) return;
    const events = (this.#events ??= []);
    if (events.length >= most) events.shift(); // the oldest, as OpenTelemetry's
    events.push({ name: nameOf(name), time: this.#timeOf(time), attributes });
  }

  #timeOf(input: unknown): HrTime {
    const given = input === undefined ? undefined : readTime(input, this.anchorMs);
    if (given !== undefined) return given;
    const nowMs = monotonicMs();
    return hrTimeOf((this.#isStartGiven ? anchorFor(nowMs) : this.anchorMs) + nowMs);
  }
}

/** As little of a span as tells which it was; what is made of it for those who ask is texts. */
export class SpanIds {
  readonly traceFlags: number;
  readonly #trace: Span["trace"];
  readonly #idHigh: number;
  readonly #idLow: number;

  constructor({ trace, idHigh, idLow, isSampled }: Span) {
    this.traceFlags = isSampled ? 1 : 0;
    this.#trace = trace;
    this.#idHigh = idHigh;
    this.#idLow = idLow;
  }

  get context(): SpanContext {
    const spanId = hexOf(this.#idHigh) + hexOf(this.#idLow);
    return { traceId: traceIdOf(this.#trace), spanId, traceFlags: this.traceFlags };
  }
}

/** The parent in a context: a span of ours, the context of another's, or nothing that can be one. */
export function parentOf(span: unknown): Span | SpanContext | undefined {
  try {
    if (span === undefined || span === null || span instanceof Span) return span ?? undefined;
    const context = (span as ApiSpan).spanContext(); // of the API's type, or it throws
    return isId(context.traceId, 32) && isId(context.spanId, 16) ? context : undefined;
  } catch {
    return undefined;
  }
}

function contextOf({ trace, traceState }: Span, spanId: string, isSampled: boolean): SpanContext {
  const traceId = traceIdOf(trace);
  const traceFlags = isSampled ? 1 : 0;
  return traceState === undefined
    ? { traceId, spanId, traceFlags }
    : { traceId, spanId, traceFlags, traceState };
}

function traceIdOf([first, second, third, fourth]: Span["trace"]): string {
  return hexOf(first) + hexOf(second) + hexOf(third) + hexOf(fourth);
}

function nameOf(name: unknown): string {
  return typeof name === "string" && name.length < mostCharacters ? name : textOf(name);
}

function partsOf(id: string): [number, number, number, number] {
  return [partAt(id, 0) | 0, partAt(id, 8) | 0, partAt(id, 16) | 0, partAt(id, 24) | 0];
}

/** Undefined for what links to no span. */
function keptLink(link: Link, limits: SpanLimits): KeptLink | undefined {
  if (typeof link !== "object" || link === null) return undefined;
  try {
    const { traceId, spanId, traceFlags, isRemote } = link.context;
    if (!isId(traceId, 32) || !isId(spanId, 16)) return undefined;
    const attributes = new Attributes();
    attributes.setAll(link.attributes, limits.linkAttributes);
    const context: SpanContext = {
      traceId,
      spanId,
      traceFlags,
      ...(isRemote === true ? { isRemote } : undefined),
    };
    return { context, traceState: stateText(link.context.traceState), attributes };
  } catch {
    return undefined;
  }
}

/** "" for none, and for one that cannot be told. */
function stateText(state: TraceState | undefined): string {
  try {
    const text: unknown = state?.serialize();
    return typeof text === "string" ? cut(text, mostCharacters) : "";
  } catch {
    return "";
  }
}
