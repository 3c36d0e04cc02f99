// A server whose handlers fail in the ways that end a process, and one that lives on if it is told to.
const http = require("node:http");

if (process.argv[2] === "lives") {
  process.on("uncaughtException", (error) => {
    process.stdout.write(`caught ${error.message}\n`);
    for (const response of waiting.splice(0)) response.writeHead(500).end();
  });
}

const waiting = [];
const server = http.createServer((request, response) => {
  waiting.push(response);
  switch (request.url) {
    case "/throw":
      throw new RangeError("thrown");
    case "/later":
      setImmediate(() => {
        throw new RangeError("thrown later");
      });
      break;
    case "/reject":
      void Promise.reject(new RangeError("rejected"));
      break;
    case "/ask":
      http.get("http://127.0.0.1:9/"); // nobody listens for the error
      break;
    case "/wait":
      break;
    default:
      response.end("ok");
  }
});
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`listening on http://127.0.0.1:${server.address().port}\n`);
});
