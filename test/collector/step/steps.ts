// Opens steps from settings as a user would write them, and looks at requests as the tests' foreign
// decoder has them.

import {
  openSteps,
  type StepConfig,
  type StepType,
  stepTypes,
} from "../../../collector/components.ts";
import type { Step } from "../../../collector/step/step.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import type { Batch, Signal } from "../../../collector/wire/batch.ts";
import { validate } from "../../../collector/wire/validate.ts";
import { decodeRequest, encodeRequest, type Request } from "../../support/otlp.ts";
import type {
  AnyValue,
  KeyValue,
  LogRecord,
  Metric,
  Resource,
  Scope,
  Span,
} from "../../support/otlp-shapes.ts";

export interface Opened extends Step {
  /** What was told of it. */
  readonly told: readonly string[];
}

export async function openStep(type: StepType, settings: object): Promise<Opened> {
  const told: string[] = [];
  const incidents = new Incidents({ write: (line) => told.push(line) });
  const parsed = stepTypes[type].settings.parse(settings);
  const config = { name: "tested", type, settings: parsed } as StepConfig;
  const [step] = await openSteps([config], { incidents });
  return { name: "tested", apply: (batch) => step!.apply(batch), told };
}

export function batchOf(signal: Signal, request: Request): Batch {
  const bytes = encodeRequest(signal, request);
  const validation = validate(signal, bytes);
  if (validation.kind === "invalid") throw new Error(validation.problem.why);
  return validation.batch;
}

/** What a step leaves, decoded; it must be a valid request with as many items as it says. */
export function applied(step: Step, batch: Batch): Request {
  const before = Buffer.from(batch.bytes);
  const left = step.apply(batch);
  if (Buffer.compare(before, batch.bytes) !== 0) throw new Error("the batch was changed");
  const validation = validate(left.signal, left.bytes);
  if (validation.kind === "invalid") {
    throw new Error(`${validation.problem.path}: ${validation.problem.why}`);
  }
  if (validation.batch.items !== left.items) {
    throw new Error(
      `${left.items} items are said to be left, but there are ${validation.batch.items}`,
    );
  }
  return decodeRequest(left.signal, left.bytes);
}

export type Leaf = Span & LogRecord & Metric;

export interface Group {
  resource?: Resource;
  schemaUrl?: string;
  scopes: { scope?: Scope; schemaUrl?: string; leaves?: Leaf[] }[];
}

const names = {
  traces: ["resourceSpans", "scopeSpans", "spans"],
  metrics: ["resourceMetrics", "scopeMetrics", "metrics"],
  logs: ["resourceLogs", "scopeLogs", "logRecords"],
} as const;

/** A request of any signal in one shape. */
export function groupsOf(signal: Signal, request: Request): Group[] {
  const [groupsName, scopesName, leavesName] = names[signal];
  const groups = ((request as Record<string, unknown>)[groupsName] ?? []) as Record<
    string,
    unknown
  >[];
  return groups.map(({ [scopesName]: scopes, ...group }) => {
    const list: Record<string, unknown>[] = Array.isArray(scopes) ? scopes : [];
    const renamed = list.map(({ [leavesName]: leaves, ...scope }) =>
      leaves === undefined ? scope : { ...scope, leaves },
    );
    return { ...group, scopes: renamed };
  });
}

export function findAttribute(pairs: readonly KeyValue[] = [], key: string): AnyValue | undefined {
  const found = pairs.find((pair) => (pair.key ?? "") === key);
  return found && (found.value ?? {});
}
