import { expect, test } from "vitest";
import { unobserved, unsupported } from "../../sdk/surroundings.ts";
import { appFile, runApp } from "./support/app.ts";

test.each([
  ["22.14.9", "the SDK is off: it needs Node 22.15 or newer, this is 22.14.9"],
  ["20.20.0", "the SDK is off: it needs Node 22.15 or newer, this is 20.20.0"],
  ["22.15.0", undefined],
  ["24.0.0", undefined],
  ["26.1.0", undefined],
])("Node %s", (node, message) => {
  expect(unsupported({ node })).toBe(message);
});

test("what is not observed in Bun and Deno, which take programs for Node, is told", () => {
  const node = "24.3.0";
  expect(unobserved({ node })).toEqual([]);
  expect(unobserved({ node, bun: "1.3.0" })).toEqual([expect.stringMatching(/^in Bun .*fetch/)]);
  expect(unobserved({ node, deno: "2.9.6" })).toEqual([expect.stringMatching(/^in Deno .*fetch/)]);
});

const quiet = {
  OTEL_TRACES_EXPORTER: "none",
  OTEL_METRICS_EXPORTER: "none",
  OTEL_LOGS_EXPORTER: "none",
};

test.each([
  ["nothing", ""],
  [
    "provider",
    "sonde: another OpenTelemetry SDK was registered before sonde and keeps traces of the app; " +
      "take one of the two away\n",
  ],
])("an app that starts sonde itself after %s is told so once, and runs", async (what, stderr) => {
  const ended = await runApp(appFile("second/main.cjs"), {
    preload: "none",
    args: [what],
    env: quiet,
  });
  expect(ended).toMatchObject({ code: 0, stdout: "runs\n", stderr });
});
