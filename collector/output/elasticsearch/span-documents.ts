// A span as Elasticsearch's own OpenTelemetry data streams have it: one document, and one for each of its
// events, which stand among the log records, as their times and names are to be found there.

import { Cursor } from "../../wire/cursor.ts";
import type { Leaves, Range } from "../../wire/leaves.ts";
import type { Piece } from "../output.ts";
import { alone, type Documents, type Run, type Wanted } from "./bulk.ts";
import type { Destinations } from "./destinations.ts";
import type { FieldNames } from "./field-names.ts";
import { Groups, type Named } from "./groups.ts";
import { Instant } from "./instant.ts";
import { JsonWriter } from "./json-writer.ts";
import { before, Ids, isId, type Place, writeCount, writeId, writeText } from "./members.ts";
import { ValueWriter } from "./value-writer.ts";

export interface SpanDocumentsOptions {
  readonly spans: Destinations;
  readonly events: Destinations;
  readonly names: FieldNames;
  readonly logId: string;
}

export class SpanDocuments implements Documents {
  readonly json = new JsonWriter();
  readonly ids: Ids;
  readonly #options: SpanDocumentsOptions;
  readonly #words: Words;
  readonly #values: ValueWriter;
  readonly #groups: Groups;
  readonly #cursor = new Cursor(new Uint8Array());
  readonly #inner = new Cursor(new Uint8Array());
  readonly #span = new Span();
  readonly #event = new Event();
  /** The span that was read last. */
  #leaves: Leaves | undefined;
  #index = -1;

  constructor(options: SpanDocumentsOptions) {
    const { json } = this;
    const { spans: destinations, names } = options;
    const values = new ValueWriter(json);
    this.#options = options;
    this.#words = wordsOf(names);
    this.#values = values;
    this.#groups = new Groups({ json, values, destinations, names });
    this.ids = new Ids(options.logId);
  }

  /** The span and its events. */
  count(leaves: Leaves): number {
    return 1 + this.#read(leaves).events.length;
  }

  write(leaves: Leaves, entry: Piece, { part }: Wanted): Run {
    this.#groups.enter(leaves);
    const event = this.#read(leaves).events[part - 1];
    const place = { entry, index: leaves.index, part };
    const destination = event
      ? this.#writeEvent(event, leaves.bytes, place)
      : this.#writeSpan(leaves.bytes, place);
    return alone(destination, this.json);
  }

  #read(leaves: Leaves): Span {
    if (leaves !== this.#leaves || leaves.index !== this.#index) {
      this.#span.read(this.#cursor.over(leaves.start, leaves.end, leaves.bytes));
      this.#leaves = leaves;
      this.#index = leaves.index;
    }
    return this.#span;
  }

  #writeSpan(bytes: Uint8Array, place: Place): string {
    const { atMs } = place.entry;
    const { json } = this;
    const { spans } = this.#options;
    const words = this.#words;
    const span = this.#span;
    const named: Named = { dataset: undefined, namespace: undefined, fields: new Map() };
    this.#values.over(bytes);
    for (const { start, end } of span.attributes) this.#groups.collect(start, end, named);
    this.#groups.complete(named);
    const { time, observed } = span;
    const destination = spans.of({ ...named, time, observed }, atMs);
    this.ids.write(json, destination, place);
    span.timestamp(atMs).write(json);
    writeId(json, words.traceId, bytes, span.traceId);
    writeId(json, words.spanId, bytes, span.spanId);
    writeText(json, words.state, bytes, span.state);
    writeId(json, words.parentId, bytes, span.parentId);
    const isEntry = span.kind === 2 || span.kind === 5 || !isId(bytes, span.parentId);
    writeText(json, isEntry ? words.transactionName : words.name, bytes, span.name);
    json.ascii(`${words.kind}"${kinds[span.kind] ?? kinds[0]}"`);
    const duration = this.#writeDuration();
    if (words.status === undefined) this.#writeCommon(bytes, isEntry, duration);
    else this.#writeStatus(bytes, words.status);
    if (!this.#values.isEmpty) {
      json.ascii(',"attributes":');
      this.#values.attributes();
    }
    writeCount(json, ',"dropped_attributes_count":', span.droppedAttributes);
    writeCount(json, ',"dropped_events_count":', span.droppedEvents);
    this.#writeLinks(bytes);
    writeCount(json, ',"dropped_links_count":', span.droppedLinks);
    this.#groups.writeTail(named.fields, destination);
    return destination.name;
  }

  /** Where both ends are known; the end may lie before the start, as clocks are. */
  #writeDuration(): bigint | undefined {
    const { time, observed } = this.#span;
    if (!time.isKnown || !observed.isKnown) return undefined;
    const seconds = BigInt(observed.seconds - time.seconds);
    const duration = seconds * 1_000_000_000n + BigInt(observed.nanos - time.nanos);
    this.json.ascii(`${this.#words.duration}${duration}`);
    return duration;
  }

  #writeStatus(bytes: Uint8Array, name: string): void {
    const { json } = this;
    const { code, message } = this.#span;
    json.ascii(`${name}{"code":"${codes[code] ?? codes[0]}"`);
    writeText(json, ',"message":', bytes, message);
    json.ascii("}");
  }

  /** What Elastic's APM goes by. */
  #writeCommon(bytes: Uint8Array, isEntry: boolean, duration: bigint | undefined): void {
    const { json } = this;
    const span = this.#span;
    const what = isEntry ? "transaction" : "span";
    json.ascii(`,"event.outcome":"${outcomes[span.code] ?? outcomes[0]}"`);
    writeText(json, ',"event.reason":', bytes, span.message);
    json.ascii(`,"processor.event":"${what}"`);
    if (isEntry) writeId(json, ',"transaction.id":', bytes, span.spanId);
    if (duration !== undefined) json.ascii(`,"${what}.duration.us":${duration / 1000n}`);
  }

  #writeLinks(bytes: Uint8Array): void {
    const { json } = this;
    let separator = ',"links":[';
    for (const range of this.#span.links) {
      json.ascii(separator);
      separator = ",";
      this.#writeLink(bytes, range);
    }
    if (separator === ",") json.ascii("]");
  }

  #writeLink(bytes: Uint8Array, range: Range): void {
    const { json } = this;
    const values = this.#values;
    const cursor = this.#inner.over(range.start, range.end, bytes);
    const [traceId, spanId, state] = [empty(), empty(), empty()];
    let dropped = 0;
    values.over(bytes);
    while (cursor.next()) {
      if (cursor.number === 1) set(traceId, cursor);
      else if (cursor.number === 2) set(spanId, cursor);
      else if (cursor.number === 3) set(state, cursor);
      else if (cursor.number === 4) values.collect(cursor.start, cursor.end);
      else if (cursor.number === 5) dropped = cursor.uint();
    }
    // Whatever is there, the object begins with what may be an empty map.
    json.ascii('{"attributes":');
    if (values.isEmpty) json.ascii("{}");
    else values.attributes();
    writeId(json, ',"trace_id":', bytes, traceId);
    writeId(json, ',"span_id":', bytes, spanId);
    writeText(json, ',"trace_state":', bytes, state);
    writeCount(json, ',"dropped_attributes_count":', dropped);
    json.ascii("}");
  }

  #writeEvent(range: Range, bytes: Uint8Array, place: Place): string {
    const { atMs } = place.entry;
    const { json } = this;
    const { events } = this.#options;
    const words = this.#words;
    const span = this.#span;
    const event = this.#event;
    event.clear();
    this.#values.over(bytes);
    const cursor = this.#inner.over(range.start, range.end, bytes);
    while (cursor.next()) {
      if (cursor.number === 1) event.time.read(bytes, cursor.start);
      else if (cursor.number === 2) set(event.name, cursor);
      else if (cursor.number === 3) this.#groups.collect(cursor.start, cursor.end, event);
      else if (cursor.number === 4) event.dropped = cursor.uint();
    }
    this.#groups.complete(event);
    const { time, dataset, namespace } = event;
    const destination = events.of({ dataset, namespace, time, observed: span.time }, atMs);
    this.ids.write(json, destination, place);
    (time.isKnown ? time : span.timestamp(atMs)).write(json);
    writeId(json, words.traceId, bytes, span.traceId);
    writeId(json, words.spanId, bytes, span.spanId);
    writeText(json, words.eventName, bytes, event.name);
    if (!this.#values.isEmpty) {
      json.ascii(',"attributes":');
      this.#values.attributes();
    }
    writeCount(json, ',"dropped_attributes_count":', event.dropped);
    this.#groups.writeTail(event.fields, destination);
    return destination.name;
  }
}

type Words = ReturnType<typeof wordsOf>;

/** Names of fields, ready to be written: `,"trace_id":` */
function wordsOf({ traceId, spanId, eventName, span }: FieldNames) {
  return {
    traceId: before(traceId),
    spanId: before(spanId),
    eventName: before(eventName),
    parentId: before(span.parentId),
    state: before(span.state),
    name: before(span.name),
    transactionName: before(span.transactionName),
    kind: before(span.kind),
    duration: before(span.duration),
    status: span.status === undefined ? undefined : before(span.status),
  };
}

const kinds = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"] as const;
const codes = ["Unset", "Ok", "Error"] as const;
const outcomes = ["unknown", "success", "failure"] as const;

/** The fields of one span, used again for the next. */
class Span {
  /** When it began, and when it ended. */
  readonly time = new Instant();
  readonly observed = new Instant();
  readonly #came = new Instant();
  readonly #status = new Cursor(new Uint8Array());
  readonly traceId = empty();
  readonly spanId = empty();
  readonly parentId = empty();
  readonly state = empty();
  readonly name = empty();
  readonly message = empty();
  kind = 0;
  code = 0;
  droppedAttributes = 0;
  droppedEvents = 0;
  droppedLinks = 0;
  readonly attributes: Range[] = [];
  readonly events: Range[] = [];
  readonly links: Range[] = [];

  read(cursor: Cursor): void {
    this.#clear();
    while (cursor.next()) this.#take(cursor);
  }

  /** When it began, else when it ended, else when it came. */
  timestamp(atMs: number): Instant {
    if (this.time.isKnown) return this.time;
    if (this.observed.isKnown) return this.observed;
    this.#came.set(atMs);
    return this.#came;
  }

  #clear(): void {
    this.time.isKnown = this.observed.isKnown = false;
    this.kind = this.code = 0;
    this.droppedAttributes = this.droppedEvents = this.droppedLinks = 0;
    this.attributes.length = this.events.length = this.links.length = 0;
    const { traceId, spanId, parentId, state, name, message } = this;
    for (const range of [traceId, spanId, parentId, state, name, message]) {
      range.start = range.end = 0;
    }
  }

  #take(cursor: Cursor): void {
    switch (cursor.number) {
      case 1:
        return set(this.traceId, cursor);
      case 2:
        return set(this.spanId, cursor);
      case 3:
        return set(this.state, cursor);
      case 4:
        return set(this.parentId, cursor);
      case 5:
        return set(this.name, cursor);
      case 6:
        this.kind = cursor.int32();
        return;
      case 7:
        return this.time.read(cursor.bytes, cursor.start);
      case 8:
        return this.observed.read(cursor.bytes, cursor.start);
      case 9:
        this.attributes.push({ start: cursor.start, end: cursor.end });
        return;
      case 10:
        this.droppedAttributes = cursor.uint();
        return;
      case 11:
        this.events.push({ start: cursor.start, end: cursor.end });
        return;
      case 12:
        this.droppedEvents = cursor.uint();
        return;
      case 13:
        this.links.push({ start: cursor.start, end: cursor.end });
        return;
      case 14:
        this.droppedLinks = cursor.uint();
        return;
      case 15:
        return this.#takeStatus(cursor);
      default:
    }
  }

  #takeStatus({ start, end, bytes }: Cursor): void {
    const status = this.#status.over(start, end, bytes);
    while (status.next()) {
      if (status.number === 2) set(this.message, status);
      else if (status.number === 3) this.code = status.int32();
    }
  }
}

class Event implements Named {
  readonly time = new Instant();
  readonly name = empty();
  dropped = 0;
  dataset: string | undefined;
  namespace: string | undefined;
  readonly fields = new Map<string, string>();

  clear(): void {
    this.time.isKnown = false;
    this.name.start = this.name.end = this.dropped = 0;
    this.dataset = this.namespace = undefined;
    this.fields.clear();
  }
}

const empty = (): Range => ({ start: 0, end: 0 });

function set(range: Range, { start, end }: Cursor): void {
  range.start = start;
  range.end = end;
}
