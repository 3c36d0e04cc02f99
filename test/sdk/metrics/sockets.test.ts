import { expect, test } from "vitest";
import { appFile, startApp } from "../support/app.ts";
import { plain, startSink } from "../support/sink.ts";
import { until } from "../../support/until.ts";

test.each(["main.cjs", "main.mjs"])(
  "open connections and messages are counted: %s",
  async (file) => {
    const sink = await startSink();
    const app = startApp(appFile(`sockets/${file}`), {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_METRIC_EXPORT_INTERVAL: "100" },
    });
    await app.url();
    const told = sink.metrics.length;
    await until("all has been told after that", () => {
      return sink.metrics.slice(told).filter(({ name }) => name === "socketio.messages").length > 1;
    });
    const last = (name: string) => {
      const metric = sink.metrics.findLast((metric) => metric.name === name);
      return (metric?.sum?.dataPoints ?? []).map((point) => {
        const attributes = Object.values(plain(point.attributes)).join(" ");
        return `${attributes} ${point.asInt}`.trim();
      });
    };
    expect(last("websocket.connections")).toEqual(["server 1", "client 1"]);
    expect(last("websocket.messages")).toEqual([
      "server receive 3",
      "server transmit 6",
      "client receive 6",
      "client transmit 3",
    ]);
    expect(last("socketio.connections")).toEqual(["1"]);
    expect(last("socketio.messages")).toEqual(["receive 1", "transmit 1"]);
    const { stderr } = await app.stop();
    await sink.close();
    expect(stderr).toBe("");
  },
);

test("an app without them is told nothing of them, and they can be switched off", async () => {
  const sink = await startSink();
  const app = startApp(appFile("sockets/main.cjs"), {
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_NODE_DISABLED_INSTRUMENTATIONS: "ws,socket.io",
    },
  });
  await app.url();
  await app.stop();
  await sink.close();
  const names = sink.metrics.map(({ name = "" }) => name);
  expect(names.filter((name) => /socket/.test(name))).toEqual([]);
  expect(names).toContain("process.uptime");
});
