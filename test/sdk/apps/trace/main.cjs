// Makes a span by hand, below the trace of the headers that it is given, and prints what it would pass on to
// the next service, and whether the span was recorded.
const { context, propagation, trace } = require("@opentelemetry/api");

const parent = propagation.extract(context.active(), JSON.parse(process.argv[2] ?? "{}"));
trace.getTracer("app").startActiveSpan("work", {}, parent, (span) => {
  const headers = {};
  propagation.inject(context.active(), headers);
  process.stdout.write(JSON.stringify({ headers, isRecording: span.isRecording() }));
  span.end();
});
