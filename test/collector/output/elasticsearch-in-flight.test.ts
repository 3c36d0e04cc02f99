// Deliveries that are under way together.

import { afterEach, beforeEach, expect, test } from "vitest";
import type { Delivery, Output } from "../../../collector/output/output.ts";
import { sampleBatch } from "../../support/otlp.ts";
import { deliveryOf, never, openOutput, type Server, startServer } from "./elasticsearch-server.ts";

let server: Server;
let output: Output;
beforeEach(async () => {
  server = await startServer();
  output = await openOutput(server.url);
});
afterEach(async () => {
  await output.close();
  await server.close();
});

const deliveries = (): Delivery[] =>
  [0, 1, 2].map((at) => deliveryOf([sampleBatch("logs", { items: 40, seed: at + 1 })], at));

const stored = (items: number): object[] =>
  Array.from({ length: items }, () => ({ create: { status: 201 } }));

test("several deliveries are under way together, each with its own documents", async () => {
  const held: (() => void)[] = [];
  server.onBulk = ({ documents }, response) => {
    for (const [id, document] of documents) server.stored.set(id, document);
    held.push(() => response.writeHead(200).end(JSON.stringify({ items: stored(40) })));
    if (held.length === 3) for (const answer of held) answer();
    return true;
  };
  const outcomes = deliveries().map((delivery) => output.deliver(delivery, never));
  expect(await Promise.all(outcomes)).toEqual(outcomes.map(() => ({ kind: "delivered" })));
  const together = server.stored;
  server.stored = new Map();
  server.onBulk = undefined;
  for (const delivery of deliveries()) await output.deliver(delivery, never);
  expect(server.stored.size).toBe(120);
  expect(Object.fromEntries(together)).toEqual(Object.fromEntries(server.stored));
});

test("several deliveries look for the template once, and again after a failure", async () => {
  server.onOther = () => ({ status: 503 });
  const failed = await Promise.all(deliveries().map((one) => output.deliver(one, never)));
  expect(failed.map(({ kind }) => kind)).toEqual(["retry", "retry", "retry"]);
  expect(server.others).toHaveLength(1);
  server.onOther = undefined;
  await Promise.all(deliveries().map((one) => output.deliver(one, never)));
  await output.deliver(deliveryOf([sampleBatch("logs", { items: 3 })], 3), never);
  expect(server.others).toHaveLength(2);
});
