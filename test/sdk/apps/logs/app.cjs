// Logs in every way the bridges are about, outside of a span and within one.
/* oxlint-disable no-console */
Error.stackTraceLimit = 50; // frames of an SDK, which the test leaves out, must not push out others

const { Writable } = require("node:stream");

class OutOfStock extends Error {
  code = "E_STOCK";
}

module.exports = function run({ bunyan, pino, trace, winston }) {
  const scenarios = { bunyan: logBunyan, console: logConsole, pino: logPino, winston: logWinston };
  const scenario = scenarios[process.argv[2]];
  scenario({ bunyan, pino, winston }, "outside");
  trace.getTracer("test").startActiveSpan("work", (span) => {
    scenario({ bunyan, pino, winston }, "inside");
    span.end();
  });
};

function logPino({ pino }, where) {
  const stdout = pino.destination({ fd: 1, sync: true });
  const log = pino(
    { name: "shop", redact: ["card", "user.pin", "*.deep"], mixin: () => ({ mixed: 1 }) },
    stdout,
  );
  log.info({ where, count: 3, isNew: true, nothing: null, list: [1, "b"] }, "hello %s", "ann");
  log
    .child({ part: "cart", card: "4111" }, { msgPrefix: "[cart] " })
    .warn({ card: "1234", user: { pin: 1, name: "ann" } }, "paid");
  log.error(new OutOfStock("no bread"));
  log.fatal({ err: new TypeError("bad"), id: 7 }, "ended");
  log.trace("below the level");
  const own = pino(
    {
      base: { pid: 1, region: "eu" },
      messageKey: "message",
      errorKey: "failure",
      nestedKey: "payload",
      customLevels: { notice: 35 },
      timestamp: false,
    },
    stdout,
  );
  own.notice({ a: { b: 1n } }, "between");
  own.error({ failure: new RangeError("far") }, "failed");
  const shaped = pino(
    {
      formatters: {
        level: (label) => ({ severity: label }),
        log: (fields) => ({ ...fields, shaped: true }),
      },
      serializers: { request: (request) => `${request.method} ${request.url}` },
      timestamp: false,
      base: null,
    },
    pino.multistream([
      { stream: stdout },
      { stream: new Writable({ write: (_chunk, _encoding, done) => done() }) },
    ]),
  );
  shaped.info({ request: { method: "GET", url: "/x" } }, "shaped");
  shaped.info("only text");
  shaped.info({ trace_id: "the app's own" }, "correlated by the app");
}

function logWinston({ winston }, where) {
  const { format } = winston;
  const hide = format((info) => Object.assign(info, info.card ? { card: "***" } : {}));
  const log = winston.createLogger({
    level: "info",
    defaultMeta: { service: "shop" },
    format: format.combine(format.splat(), hide(), format.json()),
    transports: [
      new winston.transports.Console(),
      new winston.transports.Console({
        format: format.printf(({ level, message }) => `${level}: ${message}`),
      }),
      new winston.transports.Console({
        format: format.combine(format.timestamp({ format: () => "now" }), format.json()),
      }),
    ],
  });
  log.info("hello %s", "ann", { where, card: "4111" });
  log.child({ part: "cart" }).warn({ message: "paid", count: 3, deep: { a: [1] } });
  log.error("failed", new OutOfStock("no bread"));
  log.error(new TypeError("bad"));
  log.debug("below the level");
  const plain = winston.createLogger({
    format: format.simple(),
    transports: [new winston.transports.Console()],
  });
  plain.info("plain", { id: 5 });
  const pretty = winston.createLogger({
    format: format.prettyPrint(),
    transports: [new winston.transports.Console()],
  });
  pretty.info("pretty");
  const copied = winston.createLogger({
    format: format.combine(format((info) => Object.assign({}, info))(), format.json()),
    transports: [new winston.transports.Console()],
  });
  copied.info("copied");
}

function logBunyan({ bunyan }, where) {
  const log = bunyan.createLogger({
    name: "shop",
    part: "cart",
    serializers: { ...bunyan.stdSerializers, user: ({ name }) => name },
    streams: [
      { stream: process.stdout },
      { type: "raw", stream: new bunyan.RingBuffer({ limit: 2 }) },
    ],
  });
  log.info({ where, user: { name: "ann", pin: 1 } }, "hello %s", "ann");
  log.child({ deep: { a: 1 } }).warn("paid");
  log.error(new OutOfStock("no bread"), "failed");
  log.debug("below the level");
}

function logConsole(_libraries, where) {
  console.log("hello %s", where, { count: 3 });
  console.error("failed:", new OutOfStock("no bread"));
  console.warn("paid");
  console.debug("seen");
}
