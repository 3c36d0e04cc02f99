// Puts what it is told to where it is told to: [place, key, value], from a file. Fails if there is any error.
/* oxlint-disable no-console */
const fs = require("node:fs");
const http = require("node:http");
const { Writable } = require("node:stream");
const { logs, ROOT_CONTEXT, trace } = require("@opentelemetry/api");
const bunyan = require("bunyan");
const pino = require("pino");
const winston = require("winston");

const nowhere = new Writable({ objectMode: true, write: (_chunk, _encoding, done) => done() });
const tracer = trace.getTracer("secrets");
const logger = logs.getLogger("secrets");
const byPino = pino({}, nowhere);
const byBunyan = bunyan.createLogger({ name: "b", streams: [{ stream: nowhere }] });
const byWinston = winston.createLogger({
  transports: [new winston.transports.Stream({ stream: nowhere })],
});

const inSpan = (use, name = "span") => {
  const span = tracer.startSpan(name, {}, ROOT_CONTEXT);
  use(span);
  span.end();
};
const places = {
  "span attribute": (key, value) => inSpan((span) => span.setAttribute(key, value)),
  "span list": (key, value) => inSpan((span) => span.setAttribute(key, ["harmless", value])),
  "span name": (_key, value) => inSpan(() => {}, `about ${value}`),
  "span status": (_key, value) => inSpan((span) => span.setStatus({ code: 2, message: value })),
  "span event": (key, value) => inSpan((span) => span.addEvent("event", { [key]: value })),
  exception: (_key, value) => inSpan((span) => span.recordException(new Error(value))),
  "log body": (_key, value) => logger.emit({ body: value }),
  "log attribute": (key, value) => logger.emit({ body: "log", attributes: { [key]: value } }),
  "log list": (key, value) => logger.emit({ body: ["list", { [key]: [value] }] }),
  "log map": (key, value) =>
    logger.emit({ body: "log", attributes: { map: { deep: { [key]: value } } } }),
  "pino field": (key, value) => byPino.info({ [key]: value }, "pino"),
  "pino child": (key, value) => byPino.child({ inner: { [key]: value } }).info("pino"),
  "pino message": (_key, value) => byPino.info(value),
  "pino error": (_key, value) => byPino.error(new Error(value)),
  "bunyan field": (key, value) => byBunyan.info({ [key]: value }, "bunyan"),
  "winston field": (key, value) => byWinston.info("winston", { [key]: value }),
  "winston message": (_key, value) => byWinston.info(value),
  "console text": (_key, value) => console.log(value),
  "console object": (key, value) => console.log("%o", { [key]: value }),
};

const server = http.createServer((_request, response) => response.end());
server.listen(0, "127.0.0.1", () => void plant());

async function plant() {
  const url = `http://127.0.0.1:${server.address().port}`;
  for (const [place, key, value] of JSON.parse(fs.readFileSync(process.argv[2], "utf8"))) {
    if (place === "fetch") await fetch(`${url}/x?${key}=${encodeURIComponent(value)}&b=1`);
    else if (place === "request") await request(`${url}/x?b=1&${key}=${encodeURIComponent(value)}`);
    else places[place](key, value);
  }
  server.close();
}

function request(url) {
  return new Promise((resolve, reject) => {
    http.get(url, (answer) => answer.resume().on("end", resolve)).on("error", reject);
  });
}
