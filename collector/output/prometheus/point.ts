// One data point at a time, read from the bytes of its batch into an object that is used again for the
// next: what a point says, without its attributes being decoded.

import { Cursor } from "../../wire/cursor.ts";
import { type BucketRun, type ExponentialHistogram, explicitBuckets } from "./exponential.ts";
import { type DataField, dataFields } from "./metric.ts";

/** The most that a single point may have: more is no histogram that anybody looks at. */
export const maxBuckets = 1000;

/** Of an exponential histogram as it came; the SDKs' own limit is 160 a side. */
const maxFineBuckets = 16_384;

/** Of one point: SDKs keep one for each bucket. */
const maxExemplars = 256;

const noRecordedValue = 1;

export class Point {
  /** Nanoseconds, exact to 256 of them, which is finer than any clock that makes them. */
  start = 0;
  time = 0;
  /** The sender says that the series has ended. */
  isAbsent = false;
  /** Of numbers. */
  value = 0;
  hasValue = false;
  /** Of histograms and summaries: NaN where the sum is not known. */
  sum = Number.NaN;
  count = 0;
  /** Upper bounds of buckets or quantiles; `counts` are of the buckets, each by itself, or values. */
  bounds: readonly number[] = [];
  readonly counts: number[] = [];
  /** Its buckets as they came, where it is an exponential histogram. */
  exponential: ExponentialHistogram | undefined;
  /** Where its exemplars lie: start and end of each. */
  readonly exemplars: number[] = [];
  /** Whether nothing stands between its attributes. */
  isTogether = true;
  /** Written over by each point that has bounds of its own. */
  readonly #bounds: number[] = [];
  readonly #fields: Cursor;
  readonly #inner: Cursor;
  #attributesStart = 0;
  #attributesEnd = 0;

  constructor(bytes: Buffer) {
    this.#fields = new Cursor(bytes);
    this.#inner = new Cursor(bytes);
  }

  /**
   * The attributes as they came, one character a byte: what the series is found again by. Encoders write
   * them together; where one does not, what it writes between them is in it too, which costs time only.
   */
  get attributes(): string {
    return this.#fields.latin1(this.#attributesStart, this.#attributesEnd);
  }

  /** Undefined when all is well, otherwise what is wrong with the point. */
  read(kind: DataField, start: number, end: number): string | undefined {
    this.clear();
    this.#fields.over(start, end);
    switch (kind) {
      case dataFields.gauge:
      case dataFields.sum:
        return this.#number();
      case dataFields.histogram:
        return this.#histogram();
      case dataFields.exponentialHistogram:
        return this.#exponential();
      default:
        return this.#summary();
    }
  }

  clear(): void {
    this.start = this.time = this.value = this.count = 0;
    this.isAbsent = this.hasValue = false;
    this.sum = Number.NaN;
    this.bounds = this.#bounds;
    this.exponential = undefined;
    if (this.exemplars.length > 0) this.exemplars.length = 0;
    this.#attributesStart = this.#attributesEnd = 0;
    this.isTogether = true;
  }

  #number(): string | undefined {
    const fields = this.#fields;
    while (fields.next()) {
      switch (fields.number) {
        case 4:
          this.value = fields.double();
          this.hasValue = true;
          break;
        case 5:
          this.#exemplar();
          break;
        case 6:
          this.value = fields.roundedSigned();
          this.hasValue = true;
          break;
        case 8:
          this.isAbsent = (fields.uint() & noRecordedValue) !== 0;
          break;
        default:
          this.#common(7);
      }
    }
    return this.hasValue || this.isAbsent ? undefined : "a point without a value";
  }

  #histogram(): string | undefined {
    const { counts } = this;
    const bounds = this.#bounds;
    const fields = this.#fields;
    // Overwritten in place: an array that is emptied first gives its memory back and has to grow again.
    let boundCount = 0;
    let countCount = 0;
    while (fields.next()) {
      switch (fields.number) {
        case 4:
          this.count = fields.roundedAt(0);
          break;
        case 5:
          this.sum = fields.double();
          break;
        case 6:
          // Packed or one by one: both are a stretch of eight-byte numbers.
          for (let at = 0; at < (fields.end - fields.start) / 8 && countCount <= maxBuckets; at++) {
            counts[countCount++] = fields.roundedAt(at);
          }
          break;
        case 7:
          for (let at = 0; at < (fields.end - fields.start) / 8 && boundCount < maxBuckets; at++) {
            bounds[boundCount++] = fields.doubleAt(at);
          }
          break;
        case 8:
          this.#exemplar();
          break;
        case 10:
          this.isAbsent = (fields.uint() & noRecordedValue) !== 0;
          break;
        default:
          this.#common(9);
      }
    }
    bounds.length = boundCount;
    counts.length = countCount;
    return this.isAbsent ? undefined : this.#histogramProblem();
  }

  #histogramProblem(): string | undefined {
    const { counts } = this;
    const bounds = this.#bounds;
    if (counts.length > maxBuckets) return `more than ${maxBuckets} buckets`;
    if (counts.length === 0 && bounds.length === 0) counts.push(this.count);
    if (counts.length !== bounds.length + 1) {
      return `${counts.length} bucket counts for ${bounds.length} bounds`;
    }
    // The last bucket is the one without a bound.
    if (bounds.at(-1) === Number.POSITIVE_INFINITY) {
      bounds.pop();
      counts[counts.length - 2]! += counts.pop()!;
    }
    for (let at = 0; at < bounds.length; at++) {
      const bound = bounds[at]!;
      if (Number.isNaN(bound) || (at > 0 && bound <= bounds[at - 1]!)) return "bounds not in order";
    }
    return this.#countProblem();
  }

  #countProblem(): string | undefined {
    let total = 0;
    for (const count of this.counts) total += count;
    if (total === this.count) return undefined;
    return `buckets that add up to ${total} where the count is ${this.count}`;
  }

  #exponential(): string | undefined {
    const fields = this.#fields;
    let scale = 0;
    let zeroCount = 0;
    let zeroThreshold = 0;
    let positive: BucketRun = { offset: 0, counts: [] };
    let negative: BucketRun = { offset: 0, counts: [] };
    while (fields.next()) {
      switch (fields.number) {
        case 4:
          this.count = fields.roundedAt(0);
          break;
        case 5:
          this.sum = fields.double();
          break;
        case 6:
          scale = fields.sint32();
          break;
        case 7:
          zeroCount = fields.roundedAt(0);
          break;
        case 8:
          positive = this.#run();
          break;
        case 9:
          negative = this.#run();
          break;
        case 10:
          this.isAbsent = (fields.uint() & noRecordedValue) !== 0;
          break;
        case 11:
          this.#exemplar();
          break;
        case 14:
          zeroThreshold = fields.double();
          break;
        default:
          this.#common(1);
      }
    }
    if (this.isAbsent) return undefined;
    if (Math.max(positive.counts.length, negative.counts.length) > maxFineBuckets) {
      return `more than ${maxFineBuckets} buckets`;
    }
    this.exponential = { scale, zeroCount, zeroThreshold, positive, negative };
    const problem = explicitBuckets(
      this.exponential,
      { bounds: this.#bounds, counts: this.counts },
      maxBuckets,
    );
    return problem ?? this.#countProblem();
  }

  #run(): BucketRun {
    const run = this.#inner.over(this.#fields.start, this.#fields.end);
    const counts: number[] = [];
    let offset = 0;
    while (run.next()) {
      if (run.number === 1) offset = run.sint32();
      else if (run.number === 2 && run.wireType === 0 && counts.length <= maxFineBuckets) {
        counts.push(run.uint());
      } else if (run.number === 2) {
        for (let at = run.start; at < run.end && counts.length <= maxFineBuckets;) {
          let value = 0;
          let scale = 1;
          let byte = 0x80;
          while (byte >= 0x80) {
            byte = run.bytes[at++]!;
            value += (byte & 0x7f) * scale;
            scale *= 128;
          }
          counts.push(value);
        }
      }
    }
    return { offset, counts };
  }

  #summary(): string | undefined {
    const fields = this.#fields;
    this.#bounds.length = this.counts.length = 0;
    while (fields.next()) {
      switch (fields.number) {
        case 4:
          this.count = fields.roundedAt(0);
          break;
        case 5:
          this.sum = fields.double();
          break;
        case 6:
          if (this.bounds.length <= maxBuckets) this.#quantile();
          break;
        case 8:
          this.isAbsent = (fields.uint() & noRecordedValue) !== 0;
          break;
        default:
          this.#common(7);
      }
    }
    if (this.isAbsent) return undefined;
    if (Number.isNaN(this.sum)) this.sum = 0; // not optional here: absent is proto3's zero
    if (this.bounds.length > maxBuckets) return `more than ${maxBuckets} quantiles`;
    if (new Set(this.bounds).size < this.bounds.length) return "a quantile given twice";
    return undefined;
  }

  #quantile(): void {
    const pair = this.#inner.over(this.#fields.start, this.#fields.end);
    let quantile = 0;
    let value = 0;
    while (pair.next()) {
      if (pair.number === 1) quantile = pair.double();
      else if (pair.number === 2) value = pair.double();
    }
    this.#bounds.push(quantile);
    this.counts.push(value);
  }

  #exemplar(): void {
    if (this.exemplars.length < 2 * maxExemplars) {
      this.exemplars.push(this.#fields.start, this.#fields.end);
    }
  }

  /** What all points have, most of them under the same numbers. */
  #common(attributesField: number): void {
    const fields = this.#fields;
    if (fields.number === attributesField) {
      if (this.#attributesEnd === 0) this.#attributesStart = fields.fieldStart;
      else if (this.#attributesEnd !== fields.fieldStart) this.isTogether = false;
      this.#attributesEnd = fields.end;
    } else if (fields.number === 2) this.start = fields.roundedAt(0);
    else if (fields.number === 3) this.time = fields.roundedAt(0);
  }
}
