// What each kind of step costs: one batch of spans of about 445 bytes, taken through the step again and
// again in this process.

import { openSteps, type StepConfig } from "../../collector/components.ts";
import { Incidents } from "../../collector/telemetry/incidents.ts";
import { settings as redact } from "../../collector/step/redact/settings.ts";
import { settings as set } from "../../collector/step/set/settings.ts";
import { sampleBatch } from "../support/otlp.ts";

export interface StepCost {
  readonly step: string;
  /** Of a CPU. */
  readonly spansPerSecond: number;
  readonly megabytesPerSecond: number;
  /** Of the spans that went in, how many came out. */
  readonly kept: number;
}

const filter = (name: string, drop: string): StepConfig => {
  return { name, type: "filter", settings: { drop } };
};

const configs: readonly StepConfig[] = [
  filter("filter by an attribute, none dropped", 'span.attributes["url.path"] == "/health"'),
  filter(
    "filter by an attribute, two of five dropped",
    'span.attributes["http.route"] in ["/cart", "/orders"]',
  ),
  filter(
    "filter by three conditions",
    'span.status.code == 2 || duration > duration("10m") || span.name.startsWith("DELETE")',
  ),
  filter("filter by a pattern", 'span.attributes["url.path"].matches("^/(health|ready)z?$")'),
  filter("filter by the resource", 'resource.attributes["service.name"] == "noise"'),
  { name: "set on the resource", type: "set", settings: set.parse({ resource: { a: "b" } }) },
  { name: "set on every span", type: "set", settings: set.parse({ span: { a: "b" } }) },
  {
    name: "set on every span by an expression",
    type: "set",
    settings: set.parse({
      span: { team: { expression: 'resource.attributes["service.name"] + "-team"' } },
    }),
  },
  { name: "redact, nothing found", type: "redact", settings: redact.parse({}) },
  {
    name: "redact, one attribute of each span",
    type: "redact",
    settings: redact.parse({ keys: ["client.address"] }),
  },
  { name: "sample a tenth", type: "sample", settings: { ratio: 0.1 } },
  { name: "sample nine tenths", type: "sample", settings: { ratio: 0.9 } },
];

export async function measureSteps(msPerStep = 300, spansPerBatch = 100): Promise<StepCost[]> {
  const batch = sampleBatch("traces", { items: spansPerBatch });
  const costs: StepCost[] = [];
  for (const step of await openSteps(configs, { incidents: new Incidents() })) {
    /** Rounds in a second of this process's time, so that others on the machine do not count. */
    const run = (ms: number): number => {
      const began = process.cpuUsage();
      let rounds = 0;
      let doneMs = 0;
      for (; doneMs < ms; rounds += 20) {
        for (let round = 0; round < 20; round++) step.apply(batch);
        const { user, system } = process.cpuUsage(began);
        doneMs = (user + system) / 1000;
      }
      return (rounds * 1000) / doneMs;
    };
    run(msPerStep / 3);
    const perSecond = run(msPerStep);
    costs.push({
      step: step.name,
      spansPerSecond: perSecond * batch.items,
      megabytesPerSecond: (perSecond * batch.bytes.length) / 1e6,
      kept: step.apply(batch).items,
    });
  }
  return costs;
}
