// Three requests on two routes, and instruments of its own; ends by process.exit where it is told to.
const http = require("node:http");
const { metrics } = require("@opentelemetry/api");

const meter = metrics.getMeter("shop", "2");
const orders = meter.createCounter("orders");
orders.add(1, { tenant: "a", user: "1" });
orders.add(2, { tenant: "a", user: "2" });
orders.add(4, { tenant: "b", user: "3" });
meter.createHistogram("basket.size", { unit: "{item}" }).record(7, { user: "1" });
meter.createCounter("debug.calls").add(1);

const server = http.createServer((request, response) => {
  request.resume();
  response.writeHead(request.url === "/missing" ? 404 : 200).end();
});

async function run() {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  for (const path of ["/", "/missing", "/"]) {
    await (await fetch(`http://127.0.0.1:${server.address().port}${path}`)).text();
  }
  server.close();
  server.closeAllConnections();
  // oxlint-disable-next-line unicorn/no-process-exit -- what is measured then is collected at once
  if (process.argv[2] === "exit") process.exit();
}
void run();
