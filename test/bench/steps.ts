// What each step costs: sonde with one step on the way to the output, beside sonde with none.

import { sondeSubject } from "./sonde.ts";
import { sonde, type Subject } from "./subjects.ts";

/** Each as it stands in sonde.yaml. */
const steps: Readonly<Record<string, object>> = {
  "filter none": { filter: { drop: 'span.attributes["url.path"] == "/health"' } },
  "filter some": { filter: { drop: 'span.attributes["http.route"] in ["/cart", "/orders"]' } },
  "set resource": { set: { resource: { "deployment.environment.name": "prod" } } },
  "set span": { set: { span: { team: "shop" } } },
  redact: { redact: {} },
  sample: { sample: { ratio: 0.9 } },
};

export function stepSubjects(program: string): readonly Subject[] {
  const args = [program];
  const withStep = Object.entries(steps).map(([name, step]) =>
    sondeSubject({
      name: `sonde, ${name}`,
      args,
      config: { outputs: { otlp: { steps: [name] } }, steps: { [name]: step } },
    }),
  );
  return [sonde(program), ...withStep];
}
