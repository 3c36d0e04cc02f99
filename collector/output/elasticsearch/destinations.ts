// Where a record goes: a data stream named by its data_stream.* attributes, or an index named by the
// time of the event.

import type { Signal } from "../../wire/batch.ts";
import type { Instant } from "./instant.ts";
import type { Settings } from "./settings.ts";

export interface Destination {
  readonly name: string;
  /** `{"create":{"_index":"…","_id":` */
  readonly action: Uint8Array;
  /** Fields of the document that tell where it is: nothing or `,"data_stream":{…}`. */
  readonly fields: Uint8Array;
  /** The time that it is for. */
  readonly stretch: Stretch;
}

/** Seconds since 1970, both included. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** What decides it. */
export interface Origin {
  readonly dataset: string | undefined;
  readonly namespace: string | undefined;
  readonly time: Instant;
  readonly observed: Instant;
}

export interface Destinations {
  /** Whether data_stream.* attributes name the place, so that they are not kept as attributes. */
  readonly areNamedByAttributes: boolean;
  /** Whether a record that is sent twice may be stored twice, since a rollover lies between. */
  readonly mayKeepTwice: boolean;
  /** Events of this time go by it, and not by the time they were observed or came. */
  near(atMs: number): Stretch;
  /** `atMs` is when the record came to us. */
  of(origin: Origin, atMs: number): Destination;
}

export function destinationsOf(settings: Settings, signal: Signal): Destinations {
  const { index, fields } = settings;
  if (index !== "data-stream") return new Indexes(settings, signal);
  return new DataStreams(signal, suffixOf(signal, fields));
}

/**
 * Elasticsearch's own `metrics-*.otel-*` are time series: it makes the ids itself, of dimensions and
 * milliseconds, so that two points of one millisecond would be one.
 */
export function suffixOf(signal: Signal, fields: Settings["fields"]): string {
  if (signal !== "metrics") return fields;
  return fields === "ecs" ? "sonde_ecs" : "sonde";
}

/** `logs-<dataset>.otel-<namespace>`, or with `.ecs`. */
class DataStreams implements Destinations {
  readonly areNamedByAttributes = true;
  readonly mayKeepTwice = true;
  readonly #default: Destination;
  readonly #others = new Map<string, Destination>();
  readonly #signal: Signal;
  readonly #suffix: string;

  constructor(signal: Signal, suffix: string) {
    this.#signal = signal;
    this.#suffix = suffix;
    this.#default = this.#made("generic", "default");
  }

  near(): Stretch {
    return always;
  }

  of({ dataset, namespace }: Origin): Destination {
    if (dataset === undefined && namespace === undefined) return this.#default;
    const key = `${sanitise(dataset, "generic")}-${sanitise(namespace, "default")}`;
    const known = this.#others.get(key);
    if (known) return known;
    // The names come from outside, and each data stream costs the server an index.
    if (this.#others.size >= mostDataStreams) return this.#default;
    const [part, space] = key.split("-");
    const made = this.#made(part!, space!);
    this.#others.set(key, made);
    return made;
  }

  #made(dataset: string, namespace: string): Destination {
    const fields = { type: this.#signal, dataset: `${dataset}.${this.#suffix}`, namespace };
    const name = `${fields.type}-${fields.dataset}-${namespace}`;
    return {
      name,
      action: actionFor(name),
      fields: Buffer.from(`,"data_stream":${JSON.stringify(fields)}`),
      stretch: always,
    };
  }
}

const always: Stretch = { from: -Infinity, to: Infinity };
const mostDataStreams = 200;
const longestNamePart = 90;

/** What Elasticsearch forbids in the parts of a data stream's name, the dash being what parts them. */
function sanitise(part: string | undefined, otherwise: string): string {
  if (!part) return otherwise;
  return part
    .slice(0, longestNamePart)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._]/g, "_");
}

/**
 * One index for each stretch of time that the pattern tells apart. A broken clock must not make an
 * index for every year it dreams of: what lies too far from the time when it came goes by the time it
 * was observed, and if that is no better by the time it came. All of these are the same, and so is the
 * index, when the record is sent again on another day.
 */
class Indexes implements Destinations {
  readonly areNamedByAttributes = false;
  readonly mayKeepTwice = false;
  readonly #pattern: string;
  readonly #secondsBehind: number;
  readonly #secondsAhead: number;
  readonly #byHour = new Map<number, Destination>();

  constructor({ index, index_days_behind, index_days_ahead }: Settings, signal: Signal) {
    this.#pattern = index.replaceAll("%s", signal);
    this.#secondsBehind = index_days_behind * 86_400;
    this.#secondsAhead = index_days_ahead * 86_400;
  }

  near(atMs: number): Stretch {
    const came = Math.floor(atMs / 1000);
    return { from: came - this.#secondsBehind, to: came + this.#secondsAhead };
  }

  of({ time, observed }: Origin, atMs: number): Destination {
    const came = Math.floor(atMs / 1000);
    const { from, to } = this.near(atMs);
    const isNear = ({ isKnown, seconds }: Instant): boolean =>
      isKnown && seconds >= from && seconds <= to;
    const nearest = isNear(time) ? time.seconds : isNear(observed) ? observed.seconds : came;
    const hour = Math.floor(nearest / 3600);
    const known = this.#byHour.get(hour);
    if (known) return known;
    if (this.#byHour.size >= mostHoursKept) this.#byHour.clear();
    const name = fillPattern(this.#pattern, hour * 3_600_000);
    const stretch = { from: hour * 3600, to: hour * 3600 + 3599 };
    const made = { name, action: actionFor(name), fields: new Uint8Array(), stretch };
    this.#byHour.set(hour, made);
    return made;
  }
}

const mostHoursKept = 1000;

function fillPattern(pattern: string, ms: number): string {
  const iso = new Date(ms).toISOString();
  return pattern
    .replaceAll("%Y", iso.slice(0, 4))
    .replaceAll("%m", iso.slice(5, 7))
    .replaceAll("%d", iso.slice(8, 10))
    .replaceAll("%H", iso.slice(11, 13));
}

function actionFor(index: string): Buffer {
  return Buffer.from(`{"create":{"_index":${JSON.stringify(index)},"_id":`);
}
