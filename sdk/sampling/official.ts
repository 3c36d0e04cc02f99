// A sampler of ours behind OpenTelemetry's interface, for `sdk-node`, which has none for Jaeger's remote
// sampling.

import type { Sampler as OfficialSampler } from "@opentelemetry/sdk-trace";
import { load } from "../packages.ts";
import { partAt } from "../trace/ids.ts";
import type { Sampler } from "./sampler.ts";

// Numbers of SamplingDecision, an enum of a package that need not be loaded.
const notRecorded = 0;
const recordedAndSampled = 2;

export function officialSampler(sampler: Sampler): OfficialSampler {
  const { isSpanContextValid, trace } = load("@opentelemetry/api");
  return {
    shouldSample(context, traceId, name) {
      const parent = trace.getSpanContext(context);
      const hasParent = parent !== undefined && isSpanContextValid(parent);
      let decision = recordedAndSampled;
      sampler({
        name,
        trace: [partAt(traceId, 0), partAt(traceId, 8), partAt(traceId, 16), partAt(traceId, 24)],
        hasParent,
        isParentRemote: hasParent && parent.isRemote === true,
        isParentSampled: hasParent && (parent.traceFlags & 1) === 1,
        drop: () => (decision = notRecorded),
      });
      return { decision };
    },
    toString: () => "sonde",
  };
}
