// Two workers that share a port.
const cluster = require("node:cluster");
const http = require("node:http");

if (cluster.isPrimary) {
  for (let count = 0; count < 2; count++) cluster.fork();
  let listening = 0;
  cluster.on("listening", (_worker, { port }) => {
    if (++listening === 2) process.stdout.write(`listening on http://127.0.0.1:${port}\n`);
  });
  const workers = () => Object.values(cluster.workers);
  process.on("SIGTERM", () => cluster.disconnect());
  process.on("SIGUSR2", () => workers().forEach((worker) => worker.kill()));
  process.on("SIGHUP", () => workers().forEach((worker) => worker.process.kill()));
} else {
  http
    .createServer((_request, response) => {
      response.setHeader("connection", "close");
      response.end(String(process.pid));
    })
    .listen(0, "127.0.0.1");
}
