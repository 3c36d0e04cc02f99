// The numbers by which sdk-metrics tells kinds of metrics apart. To ask it for them would load it.

import type { AggregationTemporality, DataPointType } from "@opentelemetry/sdk-metrics";

export const delta: AggregationTemporality.DELTA = 0;
export const cumulative: AggregationTemporality.CUMULATIVE = 1;

export const histogramPoint: DataPointType.HISTOGRAM = 0;
export const exponentialPoint: DataPointType.EXPONENTIAL_HISTOGRAM = 1;
export const gaugePoint: DataPointType.GAUGE = 2;
export const sumPoint: DataPointType.SUM = 3;
