// A server of the app's own before Next, as many have it.
const http = require("node:http");
const next = require("next");

async function run() {
  const app = next({ dev: false, dir: __dirname });
  await app.prepare();
  const handle = app.getRequestHandler();
  const server = http.createServer((request, response) => {
    if (request.url === "/health") response.end("well");
    else void handle(request, response);
  });
  server.listen(0, "127.0.0.1", () => {
    process.stdout.write(`listening on http://127.0.0.1:${server.address().port}\n`);
  });
}
void run();
