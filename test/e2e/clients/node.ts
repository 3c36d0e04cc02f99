// An app under OpenTelemetry's own SDK for Node, with its exporters as the OTEL_… variables say: as many
// times two spans, two measurements and a log record as it is told.

import { logs, metrics, trace } from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";

const count = Number(process.argv[2]);
const sdk = new NodeSDK();
sdk.start();

const tracer = trace.getTracer("client");
const meter = metrics.getMeter("client");
const sent = meter.createCounter("client.sent");
const duration = meter.createHistogram("client.duration", { unit: "s" });
for (let index = 0; index < count; index++) {
  tracer.startActiveSpan("parent", { attributes: { index } }, (parent) => {
    tracer.startActiveSpan("child", (child) => {
      sent.add(1, { language: "node" });
      duration.record(index / 1000, { language: "node" });
      logs.getLogger("client").emit({ body: `message ${index}`, attributes: { index } });
      child.end();
    });
    parent.end();
  });
}
await sdk.shutdown();
