// Loggers that have a transport to OpenTelemetry themselves, known by its name.
const path = require("node:path");
const { Worker, isMainThread } = require("node:worker_threads");
const bunyan = require("bunyan");
const pino = require("pino");
const winston = require("winston");
const Transport = require("winston-transport");

class OpenTelemetryTransportV3 extends Transport {
  log(_info, done) {
    done();
  }
}
class OpenTelemetryBunyanStream {
  write() {}
}

if (process.argv[2] === "threads") {
  if (isMainThread) {
    const target = path.join(__dirname, "transport.cjs");
    pino({}, pino.transport({ target, options: { as: "main" } })).info("by way of a transport");
    new Worker(__filename, { argv: ["threads"] }).on("error", (error) => {
      throw error;
    });
  } else {
    pino({}, pino.destination({ fd: 1, sync: true })).info("in a thread");
  }
} else {
  winston.createLogger({ transports: [new OpenTelemetryTransportV3()] }).info("by winston's");
  const stream = new OpenTelemetryBunyanStream();
  bunyan.createLogger({ name: "b", streams: [{ type: "raw", stream }] }).info("by bunyan's");
  const target = path.join(__dirname, "pino-opentelemetry-transport.cjs");
  pino({}, pino.transport({ target })).info("by pino's");
}
