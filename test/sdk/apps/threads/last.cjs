/* oxlint-disable unicorn/no-process-exit, unicorn/require-post-message-target-origin */
// A thread that has recorded something and says so; then all ends as the argument says.
const { isMainThread, parentPort, Worker } = require("node:worker_threads");
const { logs, metrics, trace } = require("@opentelemetry/api");

const ending = process.argv[2];
if (isMainThread) {
  const worker = new Worker(__filename, { argv: [ending] });
  worker.on("message", () => ends[ending]?.(worker));
  worker.on("error", ({ message }) => process.stdout.write(`${message}\n`));
  worker.on("exit", (code) => process.stdout.write(`worker ${code}\n`));
  process.on("exit", (code) => process.stdout.write(`exit ${code}\n`));
} else {
  record();
  parentPort.postMessage("now");
  if (ending === "exit in the thread") process.exit(3);
  if (ending === "throw in the thread") throw new Error("as asked");
  if (ending === "exit while the thread is busy") for (;;);
  if (ending !== "natural") setInterval(() => {}, 1000);
}

function record() {
  metrics.getMeter("threads").createCounter("endings").add(1);
  trace.getTracer("threads").startActiveSpan("last", (span) => {
    logs.getLogger("threads").emit({ body: "last words" });
    span.end();
  });
}

const ends = {
  terminate: (worker) => void worker.terminate(),
  exit: () => process.exit(4),
  "exit while the thread is busy": () => process.exit(4),
  throw() {
    throw new Error("as asked");
  },
  SIGTERM: () => process.kill(process.pid, "SIGTERM"),
  SIGINT: () => process.kill(process.pid, "SIGINT"),
  "SIGTERM, handled"() {
    process.on("SIGTERM", () => process.exit(7));
    process.kill(process.pid, "SIGTERM");
  },
};
