// Run by node --test: the collector in the process of the test, and the app in that process, too.
import assert from "node:assert/strict";
import { createServer, get } from "node:http";
import { after, before, test } from "node:test";
import { startCollector, spans, tree } from "../../../sdk/testing/testing.ts";

let collector;
before(async () => {
  collector = await startCollector();
  Object.assign(process.env, collector.env, { OTEL_SERVICE_NAME: "in-process" });
  const { start } = await import("../../../sdk/index.ts");
  start();
});
after(() => collector.close());

void test("a request made and answered here is a client's span and a server's below it", async () => {
  await request();
  const [span] = await collector.spans({ kind: "server" });
  const trace = await collector.spans({ traceId: span.traceId }, { count: 2 });
  assert.equal(tree(trace), "GET  client  in-process\n└─ GET  server  in-process");
});

void test("what the collector itself is sent is not traced", async () => {
  await request(); // it comes after any span that the sending of the first one had made
  await collector.spans({ kind: "server", name: "GET" }, { count: 2 });
  assert.equal(spans(collector, { kind: "server" }).length, 2);
});

async function request() {
  const server = createServer((_request, response) => response.end("hello"));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  await new Promise((resolve) => {
    get({ port: server.address().port }, (answer) => answer.resume().on("end", resolve));
  });
  server.close();
}
