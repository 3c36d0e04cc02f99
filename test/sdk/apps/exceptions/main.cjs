// Records what was thrown in a span, by hand.
const { trace } = require("@opentelemetry/api");

const span = trace.getTracer("shop", "2").startSpan("order");
span.recordException(new TypeError("no such order"), 1_770_000_000_123);
span.end();
span.recordException(new Error("too late"));
