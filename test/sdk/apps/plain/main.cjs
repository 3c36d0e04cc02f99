// An HTTP server and nothing else; tells what it has loaded.
const http = require("node:http");

const server = http.createServer((request, response) => {
  if (request.url === "/loaded") response.end(JSON.stringify(Object.keys(require.cache)));
  else response.end("hello");
});
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`listening on http://127.0.0.1:${server.address().port}\n`);
});
