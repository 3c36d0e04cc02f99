// Counts words. Requests put jobs into a queue and a thread of its own works them off, so that a long text keeps
// nobody waiting. What a job is about goes with it: its trace goes on in the thread.
import { createServer } from "node:http";
import { Worker } from "node:worker_threads";
import { context, metrics, propagation, SpanKind, trace } from "@opentelemetry/api";

const tracer = trace.getTracer("queue");
const waiting = metrics.getMeter("queue").createUpDownCounter("queue.waiting", { unit: "{job}" });
const mostJobs = 1000;
const jobs = new Map();
const worker = new Worker(new URL("./worker.js", import.meta.url));

worker.on("message", ({ id, words }) => {
  waiting.add(-1);
  const job = jobs.get(id);
  if (job) job.words = words;
});

const server = createServer((request, response) => {
  handle(request, response).catch((error) => {
    console.error(error);
    response.destroy();
  });
});

async function handle(request, response) {
  const { pathname } = new URL(request.url ?? "/", "http://queue");
  if (request.method === "POST" && pathname === "/jobs") {
    const id = enqueue(await textOf(request));
    return answer(response, 202, { id });
  }
  const id = /^\/jobs\/(\d+)$/.exec(pathname)?.[1];
  const job = jobs.get(Number(id));
  return job ? answer(response, 200, job) : answer(response, 404, { error: "no such job" });
}

let lastId = 0;

function enqueue(text) {
  const id = ++lastId;
  if (jobs.size >= mostJobs) jobs.delete(jobs.keys().next().value);
  jobs.set(id, { id, words: null });
  const attributes = { "messaging.system": "threads", "messaging.destination.name": "jobs" };
  tracer.startActiveSpan("send jobs", { kind: SpanKind.PRODUCER, attributes }, (span) => {
    const carrier = {};
    propagation.inject(context.active(), carrier);
    waiting.add(1);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- it is no window
    worker.postMessage({ id, text, carrier });
    span.end();
  });
  return id;
}

async function textOf(request) {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    if (text.length < 100_000) text += chunk;
  }
  return text;
}

function answer(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

server.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? "127.0.0.1", () => {
  const { address, port } = server.address();
  process.stdout.write(`listening on http://${address}:${port}\n`);
});
