// The meters that the API hands out. What makes their instruments is sdk-metrics, a third of all the code that
// a start would load; most apps have no instrument of their own, so it is loaded with the first that is made.

import type {
  Histogram,
  Meter as ApiMeter,
  MeterOptions,
  MeterProvider as ApiMeterProvider,
} from "@opentelemetry/api";
import type { MeterProvider as SdkProvider } from "@opentelemetry/sdk-metrics";
import { load } from "../packages.ts";
import type { Settings } from "../settings.ts";
import { messageOf, tell } from "../tell.ts";
import { rememberRecordings } from "./exemplars.ts";

export interface Making {
  /** Makes sdk-metrics' provider, which is then the one that has all instruments. */
  readonly make: () => SdkProvider;
  readonly flush: () => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly exemplarFilter: Settings["exemplarFilter"];
}

export class MeterProvider implements ApiMeterProvider {
  readonly #making: Making;
  #made: SdkProvider | undefined;
  #isStopped = false;

  constructor(making: Making) {
    this.#making = making;
  }

  getMeter(name: string, version?: string, options?: MeterOptions): ApiMeter {
    return new Meter(
      () => this.#meter(name, version, options),
      (histogram, called) => {
        const scope = { name, version, schemaUrl: options?.schemaUrl };
        rememberRecordings(histogram, { scope, name: called }, this.#making.exemplarFilter);
      },
    );
  }

  /** Undefined as long as there is no instrument. */
  get made(): SdkProvider | undefined {
    return this.#made;
  }

  makeNow(): SdkProvider {
    return (this.#made ??= this.#making.make());
  }

  forceFlush(): Promise<void> {
    return this.#making.flush();
  }

  shutdown(): Promise<void> {
    this.#isStopped = true;
    return this.#making.stop();
  }

  #meter(name: string, version?: string, options?: MeterOptions): ApiMeter {
    try {
      if (this.#isStopped) return load("@opentelemetry/api").createNoopMeter();
      return this.makeNow().getMeter(name, version, options ?? undefined);
    } catch (error) {
      tell(`a meter could not be made: ${messageOf(error)}`);
      return load("@opentelemetry/api").createNoopMeter();
    }
  }
}

class Meter implements ApiMeter {
  readonly #find: () => ApiMeter;
  readonly #remember: (histogram: Histogram, name: string) => void;
  #found: ApiMeter | undefined;

  constructor(find: () => ApiMeter, remember: (histogram: Histogram, name: string) => void) {
    this.#find = find;
    this.#remember = remember;
  }

  get #meter(): ApiMeter {
    return (this.#found ??= this.#find());
  }

  createGauge(...args: Parameters<ApiMeter["createGauge"]>) {
    return this.#meter.createGauge(...args);
  }

  createHistogram(...args: Parameters<ApiMeter["createHistogram"]>): Histogram {
    const histogram = this.#meter.createHistogram(...args);
    try {
      this.#remember(histogram, args[0]);
    } catch {
      // Without exemplars, then: what was given is no name.
    }
    return histogram;
  }

  createCounter(...args: Parameters<ApiMeter["createCounter"]>) {
    return this.#meter.createCounter(...args);
  }

  createUpDownCounter(...args: Parameters<ApiMeter["createUpDownCounter"]>) {
    return this.#meter.createUpDownCounter(...args);
  }

  createObservableGauge(...args: Parameters<ApiMeter["createObservableGauge"]>) {
    return this.#meter.createObservableGauge(...args);
  }

  createObservableCounter(...args: Parameters<ApiMeter["createObservableCounter"]>) {
    return this.#meter.createObservableCounter(...args);
  }

  createObservableUpDownCounter(...args: Parameters<ApiMeter["createObservableUpDownCounter"]>) {
    return this.#meter.createObservableUpDownCounter(...args);
  }

  addBatchObservableCallback(...args: Parameters<ApiMeter["addBatchObservableCallback"]>): void {
    this.#meter.addBatchObservableCallback(...args);
  }

  removeBatchObservableCallback(
    ...args: Parameters<ApiMeter["removeBatchObservableCallback"]>
  ): void {
    this.#meter.removeBatchObservableCallback(...args);
  }
}
