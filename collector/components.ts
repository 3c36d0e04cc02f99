// The one table of what the collector can be built from. The settings of all types are loaded at once,
// so that any of them can be checked; the code behind them only where it is configured.

import type { z } from "zod";
import { withSteps } from "./config/fields.ts";
import { settings as debug } from "./output/debug/settings.ts";
import { settings as elasticsearch } from "./output/elasticsearch/settings.ts";
import { settings as file } from "./output/file/settings.ts";
import { settings as loki } from "./output/loki/settings.ts";
import { jaegerSettings as jaeger, settings as otlp } from "./output/otlp/settings.ts";
import type { Output, OutputContext } from "./output/output.ts";
import { remoteWriteSettings as remoteWrite } from "./output/prometheus/remote-write-settings.ts";
import { settings as prometheus } from "./output/prometheus/settings.ts";
import { settings as filter } from "./step/filter/settings.ts";
import { settings as redact } from "./step/redact/settings.ts";
import { settings as sample } from "./step/sample/settings.ts";
import { settings as set } from "./step/set/settings.ts";
import type { Step, StepContext, StepProblem } from "./step/step.ts";

export const outputTypes = {
  debug: type(debug, () => import("./output/debug/debug.ts")),
  elasticsearch: type(elasticsearch, () => import("./output/elasticsearch/elasticsearch.ts")),
  file: type(file, () => import("./output/file/file.ts")),
  jaeger: type(jaeger, () => import("./output/otlp/otlp.ts")),
  loki: type(loki, () => import("./output/loki/loki.ts")),
  otlp: type(otlp, () => import("./output/otlp/otlp.ts")),
  prometheus: type(prometheus, () => import("./output/prometheus/prometheus.ts")),
  remote_write: type(remoteWrite, () => import("./output/prometheus/remote-write.ts")),
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
    /** In the order in which they are applied. */
    readonly steps: readonly StepConfig[];
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

/** Every output has steps, whatever else can be set of it. */
function type<Schema extends z.ZodObject>(
  settings: Schema,
  load: Type<Schema>["load"],
): Type<Schema> {
  return { settings: withSteps(settings), load };
}

// ── steps ────────────────────────────────────────────────────────────────────────────────────────

export const stepTypes = {
  filter: stepType(filter, () => import("./step/filter/filter.ts")),
  redact: stepType(redact, () => import("./step/redact/redact.ts")),
  sample: stepType(sample, () => import("./step/sample/sample.ts")),
  set: stepType(set, () => import("./step/set/set.ts")),
};

export type StepType = keyof typeof stepTypes;

/** A step as the configuration wants it. */
export type StepConfig = {
  [Type in StepType]: {
    readonly name: string;
    readonly type: Type;
    readonly settings: Readonly<z.output<(typeof stepTypes)[Type]["settings"]>>;
  };
}[StepType];

/** What is wrong with the expressions and patterns in a step's settings. */
export async function checkStep({ type, settings }: StepConfig): Promise<readonly StepProblem[]> {
  return (await loadStep(type)).check(settings);
}

/** They belong to one output: what a step remembers is not shared. */
export async function openSteps(
  configs: readonly StepConfig[],
  context: Omit<StepContext, "name">,
): Promise<Step[]> {
  return await Promise.all(
    configs.map(async ({ name, type, settings }) =>
      (await loadStep(type)).open(settings, { ...context, name }),
    ),
  );
}

interface StepModule<Settings> {
  check(settings: Settings): readonly StepProblem[];
  open(settings: Settings, context: StepContext): Step;
}

async function loadStep(type: StepType): Promise<StepModule<StepConfig["settings"]>> {
  return await stepTypes[type].load();
}

function stepType<Schema extends z.ZodObject>(
  settings: Schema,
  load: () => Promise<StepModule<z.output<Schema>>>,
) {
  return { settings, load };
}
