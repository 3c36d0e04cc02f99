import { expect, test } from "vitest";
import { startSink } from "./support/sink.ts";
import { appFile, startApp } from "./support/app.ts";

test.each(["main.cjs", "main.mjs"])(
  "fastify's routes, prefix included, name the server spans: %s",
  async (file) => {
    const sink = await startSink();
    const app = startApp(appFile(`fastify/${file}`), {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url },
    });
    const url = await app.url();
    await fetch(`${url}/api/users/ann`);
    await fetch(`${url}/api/users`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"name":"bob"}',
    });
    await fetch(`${url}/nowhere`);
    await app.stop();
    await sink.close();
    expect(sink.spans.map(({ name, attributes }) => [name, attributes["http.route"]])).toEqual([
      ["GET /api/users/:name", "/api/users/:name"],
      ["POST /api/users", "/api/users"],
      ["GET", undefined],
    ]);
    expect(sink.spans[2]?.attributes["http.response.status_code"]).toBe(404);
  },
);
