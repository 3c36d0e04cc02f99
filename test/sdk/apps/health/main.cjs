// A server with a health check that asks the server itself, and one that cannot be kept.
const http = require("node:http");
const { health } = require("sonde");

const answer = health.handler();
const server = http.createServer((request, response) => {
  if (request.url === "/health") answer(request, response);
  else response.end("ok");
});
server.listen(0, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  health.check("itself", async (signal) => (await fetch(url, { signal })).ok);
  health.check("absent", () => fetch("http://127.0.0.1:9/"), { critical: false });
  process.stdout.write(`listening on ${url}\n`);
});
