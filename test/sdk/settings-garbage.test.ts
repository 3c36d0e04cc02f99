// Whatever the environment holds: nothing throws, and what is said about it fits a line.

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { makePropagator } from "../../sdk/propagate/propagator.ts";
import { describeResource } from "../../sdk/resource.ts";
import { readSettings } from "../../sdk/settings.ts";
import { variables } from "../../sdk/variables.ts";

const names = fc.oneof(
  fc.constantFrom(...[...variables.keys()].filter((name) => name !== "OTEL_CONFIG_FILE")),
  fc.string({ maxLength: 20 }).map((text) => `OTEL_${text}`),
  fc.string({ unit: "binary" }),
);

const values = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary", maxLength: 2000 }),
  fc.constantFrom(
    "true",
    "0",
    "-1",
    "1e400",
    "99999999999999999999",
    "NaN",
    "none",
    "all",
    ",",
    "=",
    "%",
    "%00",
    "a=b",
    "a=%E0",
    "__proto__=1",
    "constructor",
    "http://",
    "http://[",
    "grpc://",
    "//",
    "::",
    "http://user:pass@host:4317/",
    "/dev/zero",
    "/",
    ".",
    "\n",
    "\u001b[31m",
    "\ud800",
    "endpoint==",
    "endpoint=,pollingIntervalMs=",
    "otlp/stdout,otlp",
    "b3,b3,b3",
    "http/dup",
  ),
  fc
    .array(fc.constantFrom("a", ",", "=", ";", "%", "https://x", " "))
    .map((parts) => parts.join("")),
);

test("readSettings never throws, its lines are printable and bounded, its values are within their limits", () => {
  fc.assert(
    fc.property(fc.dictionary(names, values, { maxKeys: 8 }), (environment) => {
      const { settings, complaints } = readSettings(environment);
      for (const line of complaints) expect(line).toMatch(/^[ -~…]{1,700}$/);
      for (const { otlp } of [settings.traces, settings.metrics, settings.logs]) {
        expect(URL.canParse(otlp.url)).toBe(true);
        expect(otlp.url).toMatch(/^https?:/);
        expect(otlp.timeoutMs).toBeGreaterThan(0);
      }
      expect(settings.spanBatch.maxBatch).toBeLessThanOrEqual(settings.spanBatch.maxQueue);
      expect(settings.metricTimeoutMs).toBeLessThanOrEqual(settings.metricIntervalMs);
      expect(settings.samplerRatio).toBeGreaterThanOrEqual(0);
      makePropagator(settings);
      expect(describeResource(settings)["service.name"]).not.toBe("");
    }),
    { numRuns: 1000 },
  );
});

test("no line tells the password of a URL or the value of a header", () => {
  for (const environment of [
    { OTEL_EXPORTER_OTLP_ENDPOINT: "ftp://user:hunter2@host" },
    { OTEL_EXPORTER_OTLP_ENDPOINT: "http://user:hunter2@" },
    { OTEL_EXPORTER_OTLP_ENDPOINT: "http://user:hunter2@host:4317" },
    { OTEL_EXPORTER_OTLP_HEADERS: "authorization=hunter2,hunter2" },
    { OTEL_EXPORTER_OTLP_HEADERS: "authorization=hunter2%0a" },
    { OTEL_EXPORTER_OTLP_HEADERS: "hunter2" },
  ]) {
    const { complaints } = readSettings(environment);
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).not.toContain("hunter2");
  }
});

test("a name or value of any length costs no time", () => {
  const begun = performance.now();
  readSettings({
    [`OTEL_${"X".repeat(100_000)}`]: "1",
    OTEL_LOG_LEVEL: "w".repeat(1_000_000),
    OTEL_PROPAGATORS: "b".repeat(1_000_000),
    OTEL_EXPORTER_OTLP_HEADERS: "=".repeat(1_000_000),
    OTEL_NODE_DISABLED_INSTRUMENTATIONS: "a,".repeat(500_000),
  });
  expect(performance.now() - begun).toBeLessThan(2000);
});
