// The measurement of steps, small, so that it cannot rot.

import { expect, test } from "vitest";
import { measureSteps } from "./step-costs.ts";

test("every step is measured and leaves what it should", async () => {
  const costs = await measureSteps(5, 10);
  expect(costs.map(({ step, kept }) => `${step}: ${kept}`)).toMatchInlineSnapshot(`
    [
      "filter by an attribute, none dropped: 10",
      "filter by an attribute, two of five dropped: 6",
      "filter by three conditions: 10",
      "filter by a pattern: 10",
      "filter by the resource: 10",
      "set on the resource: 10",
      "set on every span: 10",
      "set on every span by an expression: 10",
      "redact, nothing found: 10",
      "redact, one attribute of each span: 10",
      "sample a tenth: 0",
      "sample nine tenths: 6",
    ]
  `);
  for (const { spansPerSecond, megabytesPerSecond } of costs) {
    expect(spansPerSecond).toBeGreaterThan(1000);
    expect(megabytesPerSecond).toBeGreaterThan(0.4);
  }
});
