// A primary with four cluster workers and three threads. Each counts its share of orders and makes as many
// requests, in several exports; the cluster's workers share a port, so that they answer one another.
const cluster = require("node:cluster");
const http = require("node:http");
const { isMainThread, Worker, workerData } = require("node:worker_threads");
const { metrics } = require("sonde");

if (!isMainThread) void work(workerData).then(({ server }) => server.close());
else if (cluster.isPrimary) void lead();
else void follow();

async function lead() {
  const workers = [1, 2, 3, 4].map((share) => cluster.fork({ SHARE: String(share) }));
  const threads = [10, 20, 30].map((share) => new Worker(__filename, { workerData: share }));
  for (const thread of threads) thread.on("error", (error) => process.stderr.write(error.stack));
  const { server } = await work(5);
  server.close();
  let done = 0;
  cluster.on("message", () => {
    if (++done === workers.length) for (const worker of workers) worker.send("end");
  });
}

async function follow() {
  const { server } = await work(Number(process.env.SHARE));
  process.on("message", () => {
    server.close();
    process.disconnect();
  });
  process.send("done");
}

async function work(share) {
  const server = http.createServer((_request, response) => {
    response.setHeader("connection", "close");
    response.end("ok");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  for (let count = 0; count < share; count++) {
    metrics.increment("orders", 2, { kind: count % 2 === 0 ? "book" : "bread" });
    await new Promise((resolve, reject) => {
      http
        .get({ port: server.address().port, agent: false }, (response) => {
          response.resume().on("end", resolve);
        })
        .on("error", reject);
    });
    await new Promise((resolve) => setTimeout(resolve, 300 / share));
  }
  // So that all is told while it lives: what is left at an end is given two seconds, which a machine
  // that does eight of these at once may not have.
  await new Promise((resolve) => setTimeout(resolve, 5000));
  return { server };
}
