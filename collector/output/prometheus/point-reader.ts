// The points of one metric of a batch, one after the other, each with its series if that is known. Those that
// come in the order of the last time are read many at once; others, and what is rare, one by one.

import { dataFields, type Metric } from "./metric.ts";
import { Point } from "./point.ts";
import {
  asExpected,
  behindExpected,
  type Expected,
  mostExpectedBytes,
  type QuickPoints,
} from "./quick-points.ts";
import { type Run, Runs } from "./runs.ts";
import type { Series, Stream } from "./series.ts";
import type { SharedTexts } from "./shared-texts.ts";

/** Fewer are read as fast one by one. */
const leastOfRun = 4;
/** Lookups that another order would take: the first, and the one behind what was read at once. */
const mostMisses = 2;
/** Where points have exemplars, say, trying costs more than it saves. */
const mostInVain = 8;

export class PointReader {
  /** The present one. */
  readonly point: Point;
  start = 0;
  end = 0;
  /** What is wrong with it. */
  wrong: string | undefined;
  /** Its series. */
  known: Series | undefined;
  /** Behind it. */
  #at = 0;
  readonly #metric: Metric;
  readonly #quick: QuickPoints;
  readonly #texts: SharedTexts;
  #stream: Stream | undefined;
  #sinceMs = 0;
  #isNumber = true;
  /** Whether points of its kind are ever read at once. */
  #isQuick = true;
  /** What is expected, and how far it has come: among its series, and among its attributes. */
  #run: Run<Series> | undefined;
  #place = 0;
  #offset = 0;
  /** Points that were read at once and not taken yet. */
  #index = 0;
  #behind = 0;
  /** Since the metric began: points that no run had, and whether all of them were known. */
  #others = 0;
  #areKnown = true;
  #missesBefore = 0;
  #inVain = 0;

  constructor(bytes: Buffer, metric: Metric, quick: QuickPoints, texts: SharedTexts) {
    this.point = new Point(bytes);
    this.#metric = metric;
    this.#quick = quick;
    this.#texts = texts;
    quick.enter(bytes);
  }

  /** Series that were last heard of before are not known any more. */
  over(stream: Stream, sinceMs: number): void {
    const { dataField } = this.#metric;
    this.#stream = stream;
    this.#sinceMs = sinceMs;
    this.#isNumber = dataField === dataFields.sum || dataField === dataFields.gauge;
    this.#isQuick = this.#isNumber || dataField === dataFields.histogram;
    this.#run = this.#isQuick ? stream.runs?.expected : undefined;
    this.#at = this.#metric.data.start;
    this.#place = this.#offset = this.#index = this.#behind = this.#others = this.#inVain = 0;
    this.#areKnown = true;
    this.#missesBefore = stream.series.misses;
  }

  next(): boolean {
    if (this.#index < this.#behind || this.#readAhead()) {
      this.#takeNext();
      return true;
    }
    if (!this.#metric.nextPoint()) {
      this.#noteOrder();
      return false;
    }
    const { start, end } = this.#metric.points;
    this.#at = end;
    this.#read(start, end);
    this.#follow();
    return true;
  }

  #read(start: number, end: number): void {
    this.start = start;
    this.end = end;
    this.wrong = this.point.read(this.#metric.dataField, start, end);
    this.known =
      this.wrong === undefined ? this.#stream!.series.known(this.point.attributes) : undefined;
  }

  /** As many as come as expected; false if the next one does not. */
  #readAhead(): boolean {
    if (this.#place > 0 && this.#place === this.#run?.series.length) this.#go(this.#run.next);
    const run = this.#run;
    if (!run || this.#inVain > mostInVain) return false;
    const bounds = this.#isNumber ? undefined : this.#stream!.buckets?.bounds;
    if (!this.#isNumber && !bounds?.length) return false;
    const expected: Expected = { attributes: run.attributes, bounds };
    const points = this.#quick.read(expected, this.#offset, this.#at, this.#metric.data.end);
    if (points === 0) {
      this.#inVain++;
      return false;
    }
    if (this.#place === 0) this.#stream!.runs?.used(run);
    this.#index = 0;
    this.#behind = points;
    this.#offset = this.#quick.reached;
    this.#at = this.#quick.endOf(points - 1);
    this.#metric.skipTo(this.#at);
    return true;
  }

  #takeNext(): void {
    const index = this.#index++;
    const series = this.#run!.series[this.#place++]!;
    const [start, end] = [this.#quick.startOf(index), this.#quick.endOf(index)];
    if (series.isGone || series.seenMs < this.#sinceMs) {
      this.#read(start, end);
      return;
    }
    this.#quick.take(index, this.point);
    this.start = start;
    this.end = end;
    this.wrong = undefined;
    this.known = series;
  }

  /** Where the point that was read by itself stands in what is expected. */
  #follow(): void {
    const { known } = this;
    const runs = this.#stream!.runs;
    let run = this.#run;
    if (!known || run?.series[this.#place] !== known) {
      run = known && runs?.beginningWith(known);
      this.#go(run);
    }
    if (!run) {
      this.#others++;
      if (!known) this.#areKnown = false;
      return;
    }
    if (this.#place === 0) runs?.used(run);
    this.#place++;
    this.#offset = behindExpected(run.attributes, this.#offset);
  }

  /** To the beginning of that one. */
  #go(run: Run<Series> | undefined): void {
    this.#run = run;
    this.#place = this.#offset = 0;
  }

  /** Points that come in the order of the last time are a run, which the next time is expected. */
  #noteOrder(): void {
    const { series, runs } = this.#stream!;
    const misses = series.misses - this.#missesBefore;
    if (this.#others < leastOfRun || !this.#areKnown || misses > mostMisses) return;
    if (!this.#isQuick || runs?.isWorthMore === false) return;
    const found = this.#runsOfAll();
    if (!found) return;
    this.#stream!.runs ??= new Runs();
    this.#stream!.runs.add(found, 2 * series.size);
  }

  /** Of all points of the metric; undefined if one has a form that is not for a run. */
  #runsOfAll(): Run<Series>[] | undefined {
    const found: Run<Series>[] = [];
    let series: Series[] = [];
    let attributes: string[] = [];
    let length = 0;
    const end = (): void => {
      if (series.length === 0) return;
      found.push({ series, attributes: this.#texts.of(attributes.join("")), next: undefined });
      [series, attributes, length] = [[], [], 0];
    };
    this.#metric.skipTo(this.#metric.data.start);
    while (this.#metric.nextPoint()) {
      this.#read(this.#metric.points.start, this.#metric.points.end);
      if (!this.known || !this.point.isTogether) return undefined;
      const one = asExpected(this.point.attributes);
      if (one.length > mostExpectedBytes) return undefined; // of empty values, which are no labels
      if (length + one.length > mostExpectedBytes) end();
      length += one.length;
      series.push(this.known);
      attributes.push(one);
    }
    end();
    return found;
  }
}
