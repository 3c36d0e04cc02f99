/* oxlint-disable unicorn/no-process-exit */
// Ends as its argument says, with a span, a log record and a measurement not sent yet.
module.exports = function run({ trace, metrics, logs }) {
  const end = ends[process.argv[2]];
  if (process.argv[2] !== "http-exit") record({ trace, metrics, logs });
  end();
};

function record({ trace, metrics, logs }) {
  metrics.getMeter("exit").createCounter("endings").add(1);
  trace.getTracer("exit").startActiveSpan("last", (span) => {
    logs.getLogger("exit").emit({ body: "last words" });
    span.end();
  });
}

const ends = {
  natural() {
    process.exitCode = 4;
  },
  "before-exit"() {
    process.on("beforeExit", (code) => process.stdout.write(`before exit ${code}\n`));
  },
  "before-exit-works"() {
    process.once("beforeExit", () => setTimeout(() => process.stdout.write("worked\n"), 50));
  },
  exit() {
    process.on("exit", (code) => process.stdout.write(`exit ${code}\n`));
    process.exit(3);
  },
  throw() {
    setImmediate(() => {
      throw new Error("as asked");
    });
  },
  reject() {
    void Promise.reject(new Error("as asked"));
  },
  sigterm() {
    setInterval(() => {}, 1000);
    process.kill(process.pid, "SIGTERM");
  },
  sigint() {
    setInterval(() => {}, 1000);
    process.kill(process.pid, "SIGINT");
  },
  "sigterm-handled"() {
    process.on("SIGTERM", () => process.exit(7));
    setInterval(() => {}, 1000);
    process.kill(process.pid, "SIGTERM");
  },
  "sigterm-ignored"() {
    process.on("SIGTERM", () => process.stdout.write("ignored\n"));
    process.kill(process.pid, "SIGTERM");
    setTimeout(() => {}, 100);
  },
  "http-exit"() {
    const http = require("node:http");
    const server = http.createServer((_request, response) => {
      response.end("bye", () => setImmediate(() => process.exit(5)));
    });
    server.listen(0, "127.0.0.1", () =>
      http.get({ port: server.address().port }).on("error", () => {}),
    );
  },
};
