// A span and a log record every ten milliseconds, each with its number, until somebody ends it.
const { logs, trace } = require("@opentelemetry/api");

let number = 0;
setInterval(() => {
  logs.getLogger("ticking").emit({ body: `record ${++number}` });
  trace.getTracer("ticking").startSpan(`span ${number}`).end();
  process.stdout.write(`${number}\n`);
}, 10);
