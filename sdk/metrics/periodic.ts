// Collects metrics every so often and hands them to an exporter: ours, and those of sdk-metrics once the app
// has instruments of its own. Ours are read last, with nothing to wait for before they are exported: what has
// been read as growth since the last time and is not exported when the process ends would be lost.

import { clearInterval, setInterval } from "node:timers";
import type {
  CollectionResult,
  IMetricReader,
  InstrumentType,
  MetricProducer,
  ScopeMetrics,
} from "@opentelemetry/sdk-metrics";
import { load } from "../packages.ts";
import { messageOf, tell } from "../tell.ts";
import { withExemplars } from "./exemplars.ts";
import { maxSeries } from "./overflow.ts";
import type { OwnMetrics } from "./own.ts";
import type { ReaderForm } from "./reader.ts";

/** Done when it returns; false for what there was no room for. */
export type ExportMetrics = (metrics: readonly ScopeMetrics[]) => boolean;

export interface PeriodicOptions {
  readonly form: ReaderForm;
  readonly own: OwnMetrics;
  readonly send: ExportMetrics;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

export class Periodic implements IMetricReader {
  readonly own: OwnMetrics;
  readonly #options: PeriodicOptions;
  readonly #timer: NodeJS.Timeout;
  #producer: MetricProducer | undefined;
  #exportedMs = 0;
  #running: Promise<void> | undefined;

  constructor(options: PeriodicOptions) {
    this.own = options.own;
    this.#options = options;
    this.#timer = setInterval(() => void this.#run(), options.intervalMs).unref();
  }

  /** What sdk-metrics has; given by its provider, when there is one. */
  setMetricProducer(producer: MetricProducer): void {
    this.#producer = producer;
  }

  selectAggregation(type: InstrumentType) {
    const { AggregationType, InstrumentType: types } = load("@opentelemetry/sdk-metrics");
    const isExponential = type === types.HISTOGRAM && this.#options.form.isExponential;
    const { EXPONENTIAL_HISTOGRAM, DEFAULT } = AggregationType;
    return { type: isExponential ? EXPONENTIAL_HISTOGRAM : DEFAULT } as const;
  }

  selectAggregationTemporality(type: InstrumentType) {
    const { AggregationTemporality, InstrumentType: types } = load("@opentelemetry/sdk-metrics");
    const { histograms, counters } = this.#options.form;
    const isRecorded = type === types.HISTOGRAM || type === types.COUNTER;
    const isDelta =
      (isRecorded && histograms === "delta") ||
      (type === types.OBSERVABLE_COUNTER && counters === "delta");
    return isDelta ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE;
  }

  selectCardinalityLimit(): number {
    return maxSeries;
  }

  async collect(): Promise<CollectionResult> {
    const { emptyResource } = load("@opentelemetry/resources");
    const scopeMetrics = [...(await this.#collectMade()), ...this.own.collectNow()];
    return { resourceMetrics: { resource: emptyResource(), scopeMetrics }, errors: [] };
  }

  /** At the end of a process, with what sdk-metrics can tell without waiting. */
  export(made: readonly ScopeMetrics[]): void {
    const isDelta = this.#options.form.histograms === "delta";
    const sinceMs = isDelta ? this.#exportedMs : 0;
    this.#exportedMs = performance.now();
    const metrics = [...withExemplars(made, sinceMs), ...this.own.collectNow()];
    if (metrics.length > 0 && !this.#options.send(metrics)) {
      tell("metrics are lost for lack of room", "room for metrics");
    }
  }

  async forceFlush(): Promise<void> {
    await this.#running;
    await this.#run();
  }

  async shutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.forceFlush();
  }

  /** One at a time: two would each take a part of the growth. Never rejects. */
  #run(): Promise<void> {
    this.#running ??= this.#exportOnce().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #exportOnce(): Promise<void> {
    try {
      this.export(await this.#collectMade());
    } catch (error) {
      tell(`metrics could not be collected: ${messageOf(error)}`);
    }
  }

  async #collectMade(): Promise<readonly ScopeMetrics[]> {
    if (this.#producer === undefined) return [];
    const { resourceMetrics, errors } = await this.#producer.collect({
      timeoutMillis: this.#options.timeoutMs,
    });
    const { diag } = load("@opentelemetry/api");
    for (const error of errors) diag.error(`an instrument was not observed: ${messageOf(error)}`);
    return resourceMetrics.scopeMetrics;
  }
}
