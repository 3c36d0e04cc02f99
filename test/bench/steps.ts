// What each step costs: sonde with one step on the way to the output, beside sonde with none. Every step
// looks at all spans and lets all of them pass, so that the same number has to arrive.

import { sondeSubject } from "./sonde.ts";
import { sonde, type Subject } from "./subjects.ts";

/** Each as it stands in sonde.yaml. */
const steps: Readonly<Record<string, object>> = {
  filter: { filter: { drop: 'span.attributes["url.path"] == "/health"' } },
  set: { set: { resource: { region: "north" }, span: { "http.route": "/" } } },
  redact: { redact: {} },
  sample: { sample: { ratio: 0.999_999_999 } },
};

export function stepSubjects(program: string): readonly Subject[] {
  const withStep = Object.entries(steps).map(([name, step]) =>
    sondeSubject({
      name: `sonde, ${name}`,
      args: [program],
      config: { outputs: { otlp: { steps: [name] } }, steps: { [name]: step } },
    }),
  );
  return [sonde(program), ...withStep];
}
