import { expect, test } from "vitest";
import { until } from "../support/until.ts";
import { appFile, startApp } from "./support/app.ts";
import { startSink } from "./support/sink.ts";

test.each([
  ["GET,PURGE", "PURGE"],
  ["", "HTTP"],
])("with the known methods %o a PURGE is told as %s", async (methods, name) => {
  const sink = await startSink();
  const app = startApp(appFile("plain/main.cjs"), {
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_BSP_SCHEDULE_DELAY: "20",
      OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS: methods,
    },
  });
  await fetch(await app.url(), { method: "PURGE" });
  await until("a span", () => sink.spans.length > 0);
  await app.stop();
  await sink.close();
  expect(sink.spans.map((span) => span.name)).toEqual([name]);
});
