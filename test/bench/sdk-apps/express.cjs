// What a small service does for a request: a route of express, a call to another service, a line of log.
const express = require(process.env.BENCH_EXPRESS);
const http = require("node:http");
const pino = require("pino");

const log = pino();
const agent = new http.Agent({ keepAlive: true });
const app = express();

app.get("/orders/:id", (request, response, next) => {
  const asked = http.get(`${process.env.BENCH_STOCK}/stock/${request.params.id}`, { agent });
  asked.on("error", next);
  asked.on("response", (answer) => {
    let text = "";
    answer.setEncoding("utf8");
    answer.on("data", (chunk) => (text += chunk));
    answer.on("end", () => {
      log.info({ id: request.params.id }, "ordered");
      response.json({ id: request.params.id, stock: text });
    });
  });
});
app.get("/exit", () => process.exit(0)); // so that a profile is written

const server = app.listen(0, "127.0.0.1", () => {
  process.stderr.write(`listening on http://127.0.0.1:${server.address().port}\n`);
});
