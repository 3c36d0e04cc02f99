// Answers one request and ends as its argument says: is the span of that request kept?
const http = require("node:http");

const ends = {
  natural: () => server.close(),
  "process.exit": () => process.exit(0),
  uncaught: () => {
    throw new Error("as asked");
  },
  unhandled: () => void Promise.reject(new Error("as asked")),
  SIGTERM: () => process.kill(process.pid, "SIGTERM"),
  SIGINT: () => process.kill(process.pid, "SIGINT"),
  "SIGTERM, handled": () => process.kill(process.pid, "SIGTERM"),
  SIGKILL: () => process.kill(process.pid, "SIGKILL"),
};
const [, , kind] = process.argv;
if (kind === "SIGTERM, handled") process.on("SIGTERM", () => process.exit(0));

const server = http.createServer((_request, response) => {
  response.setHeader("connection", "close");
  response.on("close", () => setImmediate(() => ends[kind]()));
  response.end("hello");
});
server.listen(0, "127.0.0.1", () => {
  process.stderr.write(`listening on http://127.0.0.1:${server.address().port}\n`);
});
