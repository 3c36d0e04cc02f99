import { expect, test } from "vitest";
import { appFile, runApp } from "./support/app.ts";
import { startSink } from "./support/sink.ts";

test.each(["main.cjs", "main.mjs"])(
  "the first request of the first session is in one trace with its server: %s",
  async (file) => {
    const sink = await startSink();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_METRICS_EXPORTER: "none" };
    const ended = await runApp(appFile(`http2/${file}`), { env });
    await sink.close();
    expect(ended).toMatchObject({ code: 0, stderr: "", stdout: "" });
    const [clients, servers] = [3, 2].map((kind) =>
      sink.spans.filter((span) => span.kind === kind),
    );
    expect(
      clients?.map(({ attributes }) => new URL(String(attributes["url.full"])).pathname),
    ).toEqual(["/object", "/list"]);
    expect(servers?.map(({ parentSpanId }) => parentSpanId)).toEqual(
      clients?.map(({ spanId }) => spanId),
    );
  },
);
