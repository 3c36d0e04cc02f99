// The unit that flows through the collector: one OTLP export request, still in its protobuf bytes.

export type Signal = "traces" | "metrics" | "logs";

export const signals = ["traces", "metrics", "logs"] as const satisfies readonly Signal[];

/** One validated Export…ServiceRequest. The bytes are trusted and never changed. */
export interface Batch {
  readonly signal: Signal;
  readonly bytes: Uint8Array;
  /** Spans, data points or log records. */
  readonly items: number;
}

/**
 * The log copies a batch that is smaller at once: that costs little beside what else it costs, and the
 * memory of the request may be used for the next. A larger one it writes from where it lies.
 */
export const copiedBelowBytes = 256 << 10;

/** A number for each signal. */
export type PerSignal = Record<Signal, number>;

export const noItems = (): PerSignal => ({ traces: 0, metrics: 0, logs: 0 });
