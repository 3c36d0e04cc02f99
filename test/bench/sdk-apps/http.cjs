// A server and nothing else: what instrumenting HTTP costs by itself.
const http = require("node:http");

const server = http.createServer((request, response) => {
  if (request.url === "/exit") process.exit(0); // so that a profile is written
  response.end("hello");
});
server.listen(0, "127.0.0.1", () => {
  process.stderr.write(`listening on http://127.0.0.1:${server.address().port}\n`);
});
