// The one table of what the collector can be built from. Settings are small and loaded at once, so that
// all of them can be checked; the code behind them is loaded only for what is configured.

import type { z } from "zod";
import { settings as debug } from "./output/debug/settings.ts";
import { settings as elasticsearch } from "./output/elasticsearch/settings.ts";
import { jaegerSettings as jaeger, settings as otlp } from "./output/otlp/settings.ts";
import type { Output, OutputContext } from "./output/output.ts";
import { settings as prometheus } from "./output/prometheus/settings.ts";

export const outputTypes = {
  debug: { settings: debug, load: () => import("./output/debug/debug.ts") },
  elasticsearch: {
    settings: elasticsearch,
    load: () => import("./output/elasticsearch/elasticsearch.ts"),
  },
  jaeger: { settings: jaeger, load: () => import("./output/otlp/otlp.ts") },
  otlp: { settings: otlp, load: () => import("./output/otlp/otlp.ts") },
  prometheus: {
    settings: prometheus,
    load: () => import("./output/prometheus/prometheus.ts"),
    isOnByDefault: true,
  },
} satisfies Record<string, OutputComponent>;

export type OutputType = keyof typeof outputTypes;

export interface OutputComponent {
  readonly settings: z.ZodObject;
  /** The module that has `open`. */
  readonly load: () => Promise<object>;
  /** Runs without being asked for, under the name of its type. */
  readonly isOnByDefault?: boolean;
}

/** An output as the configuration wants it. */
export type OutputConfig = {
  [Type in OutputType]: {
    readonly name: string;
    readonly type: Type;
    readonly settings: z.output<(typeof outputTypes)[Type]["settings"]>;
  };
}[OutputType];
