// The thread that counts. It has the SDK, too, since it starts with the options of the process.
import { parentPort } from "node:worker_threads";
import { context, propagation, SpanKind, trace } from "@opentelemetry/api";

const tracer = trace.getTracer("queue");
const attributes = { "messaging.system": "threads", "messaging.destination.name": "jobs" };

parentPort.on("message", ({ id, text, carrier }) => {
  context.with(propagation.extract(context.active(), carrier), () => {
    tracer.startActiveSpan("process jobs", { kind: SpanKind.CONSUMER, attributes }, (span) => {
      const words = text.split(/\s+/).filter(Boolean).length;
      span.setAttribute("words", words);
      console.log("job %d has %d words", id, words);
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- it is no window
      parentPort.postMessage({ id, words });
      span.end();
    });
  });
});
