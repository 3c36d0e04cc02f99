// One server that does everything the two engines are compared on: routes, a client each way, a log line,
// and a span, a counter and a histogram of its own.
const { metrics, SpanStatusCode, trace } = require("@opentelemetry/api");
const express = require("express");
const http = require("node:http");
const pino = require("pino");

const log = pino();
const tracer = trace.getTracer("orders", "1.2.3");
const meter = metrics.getMeter("orders", "1.2.3");
const ordered = meter.createCounter("orders.placed", { unit: "{order}", description: "Placed" });
const prices = meter.createHistogram("orders.price", { unit: "EUR" });

const app = express();
app.use(express.json());

app.post("/orders/:id", (request, response) =>
  tracer.startActiveSpan("price", { attributes: { quantity: 2, gift: true } }, async (span) => {
    const { id } = request.params;
    span.addEvent("looked up", { shelf: "a" });
    await fetch(`${url()}/stock/${id}?token=abc&page=2`).then((answer) => answer.text());
    await get(`${url()}/gone?page=3`);
    log.info({ id }, "ordered");
    ordered.add(2, { product: id });
    prices.record(12.5);
    span.recordException(new RangeError("too few"));
    span.setStatus({ code: SpanStatusCode.ERROR, message: "too few" });
    span.end();
    response.status(201).json({ id, wanted: request.body });
  }),
);
app.get("/stock/:id", (_request, response) => response.json({ count: 3 }));
app.get("/fail", () => {
  throw new Error("as asked");
});
// oxlint-disable-next-line no-unused-vars
app.use((error, _request, response, _next) => {
  log.error(error, "failed");
  response.status(500).end();
});

const server = app.listen(0, "127.0.0.1", () => {
  process.stdout.write(`listening on ${url()}\n`);
});

function url() {
  return `http://127.0.0.1:${server.address().port}`;
}

function get(target) {
  return new Promise((resolve, reject) => {
    http.get(target, (answer) => answer.resume().on("end", resolve)).on("error", reject);
  });
}
