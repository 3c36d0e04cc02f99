// The one table of what the collector can be built from. The settings of all types are loaded at once,
// so that any of them can be checked; the code behind them only where it is configured.

import type { z } from "zod";
import { settings as debug } from "./output/debug/settings.ts";
import { settings as elasticsearch } from "./output/elasticsearch/settings.ts";
import { settings as file } from "./output/file/settings.ts";
import { jaegerSettings as jaeger, settings as otlp } from "./output/otlp/settings.ts";
import type { Output, OutputContext } from "./output/output.ts";
import { settings as prometheus } from "./output/prometheus/settings.ts";

export const outputTypes = {
  debug: type(debug, () => import("./output/debug/debug.ts")),
  elasticsearch: type(elasticsearch, () => import("./output/elasticsearch/elasticsearch.ts")),
  file: type(file, () => import("./output/file/file.ts")),
  jaeger: type(jaeger, () => import("./output/otlp/otlp.ts")),
  otlp: type(otlp, () => import("./output/otlp/otlp.ts")),
  prometheus: type(prometheus, () => import("./output/prometheus/prometheus.ts")),
};

/** These run without being asked for, unless their port is off. */
export const outputsByDefault: readonly OutputType[] = ["prometheus"];

export type OutputType = keyof typeof outputTypes;

/** An output as the configuration wants it. */
export type OutputConfig = {
  [Type in OutputType]: {
    readonly name: string;
    readonly type: Type;
    readonly settings: Readonly<z.output<(typeof outputTypes)[Type]["settings"]>>;
  };
}[OutputType];

export async function openOutput(config: OutputConfig, context: OutputContext): Promise<Output> {
  const module = await outputTypes[config.type].load();
  // The table has made sure that a type's module takes the settings of that type; TypeScript cannot
  // follow the pair through the union.
  return await (module as OutputModule<OutputConfig["settings"]>).open(config.settings, context);
}

interface OutputModule<Settings> {
  open(settings: Settings, context: OutputContext): Promise<Output>;
}

interface Type<Schema extends z.ZodObject> {
  readonly settings: Schema;
  readonly load: () => Promise<OutputModule<z.output<Schema>>>;
}

function type<Schema extends z.ZodObject>(
  settings: Schema,
  load: Type<Schema>["load"],
): Type<Schema> {
  return { settings, load };
}
