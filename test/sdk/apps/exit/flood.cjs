// Makes spans faster than anyone takes them; tells by how many megabytes it has grown.
const { trace } = require("@opentelemetry/api");

const tracer = trace.getTracer("flood");
const attributes = { "http.route": "/items/:id", "code.function.name": "x".repeat(1000) };
const before = process.memoryUsage().rss;
let most = 0;

async function flood() {
  for (let turn = 0; turn < 400; turn++) {
    for (let at = 0; at < 500; at++) tracer.startSpan("flood", { attributes }).end();
    most = Math.max(most, process.memoryUsage().rss);
    await new Promise((resolve) => setImmediate(resolve));
  }
  process.stdout.write(String(Math.round((most - before) / 1e6)));
}

void flood();
