import { expect, test } from "vitest";
import { describeResource } from "../../sdk/resource.ts";
import { readSettings } from "../../sdk/settings.ts";

const describe = (environment: NodeJS.ProcessEnv) =>
  describeResource(readSettings(environment).settings);

test("OTEL_SERVICE_NAME wins over OTEL_RESOURCE_ATTRIBUTES, and both over what is found", () => {
  const attributes = "service.name=b,host.name=mine,service.instance.id=7,team=shop%20floor";
  expect(describe({ OTEL_RESOURCE_ATTRIBUTES: attributes })).toMatchObject({
    "service.name": "b",
    "host.name": "mine",
    "service.instance.id": "7",
    team: "shop floor",
  });
  expect(
    describe({ OTEL_SERVICE_NAME: "a", OTEL_RESOURCE_ATTRIBUTES: attributes })["service.name"],
  ).toBe("a");
});

test("only the detectors asked for look", () => {
  const found = describe({ OTEL_NODE_RESOURCE_DETECTORS: "host" });
  expect(Object.keys(found)).toEqual([
    "service.name",
    "telemetry.sdk.language",
    "telemetry.sdk.name",
    "telemetry.sdk.version",
    "host.name",
    "host.arch",
  ]);
});

test("arguments of the command line, where secrets stand, are not told", () => {
  process.argv.push("--password=secret");
  try {
    expect(JSON.stringify(describe({}))).not.toContain("secret");
  } finally {
    process.argv.pop();
  }
});
