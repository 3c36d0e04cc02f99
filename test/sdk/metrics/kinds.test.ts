import { AggregationTemporality, DataPointType } from "@opentelemetry/sdk-metrics";
import { expect, test } from "vitest";
import * as kinds from "../../../sdk/metrics/kinds.ts";

test("kinds have the numbers that they have in sdk-metrics", () => {
  expect({ ...kinds }).toEqual({
    delta: AggregationTemporality.DELTA,
    cumulative: AggregationTemporality.CUMULATIVE,
    histogramPoint: DataPointType.HISTOGRAM,
    exponentialPoint: DataPointType.EXPONENTIAL_HISTOGRAM,
    gaugePoint: DataPointType.GAUGE,
    sumPoint: DataPointType.SUM,
  });
});
