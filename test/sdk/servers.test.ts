// Libraries against real servers: Kafka, MariaDB, memcached and RabbitMQ. PostgreSQL and Redis: data.test.ts.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { onDemand } from "../support/on-demand.ts";
import { isAbsent, startPeer } from "../support/peers.ts";
import type { Peer } from "../support/peers.ts";
import { appFile, runApp } from "./support/app.ts";
import { isMissing, startServer } from "./support/servers.ts";
import type { Server } from "./support/servers.ts";
import { startSink } from "./support/sink.ts";
import type { Sink } from "./support/sink.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 90_000 }); // brokers take their time to start

const files = ["main.cjs", "main.mjs"];
const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

describe.skipIf(isAbsent("kafka"))("kafkajs and Kafka", () => {
  let peer: Peer;
  beforeAll(async () => void (peer = await startPeer("kafka")));
  afterAll(() => peer?.stop());

  test.each(files)(
    "a message carries its trace from who sends it to who processes it: %s",
    async (file) => {
      const where = [root, peer.address["bootstrap"] ?? ""];
      const topic = `orders-${file.slice(-3)}`;
      const { sink, printed } = await run(file, "kafkajs", [...where, topic]);
      expect(printed).toBe("1=secret 2=secret 3=secret");
      const sent = sink.spans.filter(({ kind }) => kind === 4);
      const processed = sink.spans.filter(({ kind }) => kind === 5);
      expect(sent.map(({ name }) => name)).toEqual(Array(3).fill(`send ${topic}`));
      expect(processed.map(({ name }) => name)).toEqual(Array(3).fill(`process ${topic}`));
      const senders = new Map(sent.map(({ spanId, traceId }) => [spanId, traceId]));
      expect(senders.size).toBe(3);
      for (const { parentSpanId = "", traceId } of processed) {
        expect(senders.get(parentSpanId)).toBe(traceId);
        senders.delete(parentSpanId);
      }
      expect(processed[0]?.attributes).toMatchObject({
        "messaging.system": "kafka",
        "messaging.destination.name": topic,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
      });
      expect(JSON.stringify(sink.spans)).not.toContain("secret");
      const names = new Set(sink.metrics.map(({ name }) => name));
      for (const name of [
        "messaging.client.operation.duration",
        "messaging.client.sent.messages",
        "messaging.client.consumed.messages",
        "messaging.process.duration",
      ])
        expect(names).toContain(name);
    },
  );
});

const mysql2 = onDemand("mysql2-3.24.6", ["mysql2@3.24.6"]);

describe.skipIf(!mysql2 || isMissing("mariadb"))("mysql2 and MariaDB", () => {
  let server: Server;
  beforeAll(async () => void (server = await startServer("mariadb")));
  afterAll(() => server?.stop());

  test.each(files)("a query is a span, its values left out: %s", async (file) => {
    const { sink, printed } = await run(file, "mysql2", [mysql2!, server.address]);
    expect(printed).toBe("ER_NO_SUCH_TABLE 1");
    const queries = sink.spans.map(({ name, kind, status, attributes }) => {
      return [name, kind, status?.code ?? 0, attributes["db.query.text"]];
    });
    expect(queries).toEqual([
      ["SELECT", 3, 0, "SELECT ? AS answer"],
      ["SELECT", 3, 0, "SELECT ? AS literal, ? AS number"],
      ["SELECT", 3, 2, "SELECT * FROM test.no_such_table"],
      ["SELECT", 3, 0, "SELECT ? AS one"],
    ]);
    const [address = "", port] = server.address.split(":");
    expect(sink.spans[0]?.attributes).toMatchObject({
      "db.system.name": "mysql",
      "server.address": address,
      "server.port": Number(port),
    });
    expect(JSON.stringify(sink.spans)).not.toContain("secret");
  });
});

const memcached = onDemand("memcached-2.2.2", ["memcached@2.2.2"]);

describe.skipIf(!memcached || isMissing("memcached"))("memcached", () => {
  let server: Server;
  beforeAll(async () => void (server = await startServer("memcached")));
  afterAll(() => server?.stop());

  test.each(files)("a command is a span, values left out: %s", async (file) => {
    const { sink, printed } = await run(file, "memcached", [memcached!, server.address]);
    expect(printed).toBe("secret");
    expect(sink.spans.map(({ name, kind }) => [name, kind])).toEqual([
      ["memcached set", 3],
      ["memcached get", 3],
    ]);
    expect(sink.spans[0]?.attributes).toMatchObject({
      "db.system.name": "memcached",
      "db.operation.name": "set",
    });
    expect(JSON.stringify(sink.spans)).not.toContain("secret");
  });
});

const amqplib = onDemand("amqplib-2.3.1", ["amqplib@2.3.1"]);

describe.skipIf(!amqplib || isMissing("rabbitmq"))("amqplib and RabbitMQ", () => {
  let server: Server;
  beforeAll(async () => void (server = await startServer("rabbitmq")));
  afterAll(() => server?.stop());

  test.each(files)(
    "a message carries its trace from who sends it to who processes it: %s",
    async (file) => {
      const { sink, printed } = await run(file, "amqplib", [amqplib!, server.address]);
      expect(printed).toBe("secret");
      const [sent, processed, ...others] = sink.spans;
      expect(others).toEqual([]);
      expect([sent?.name, sent?.kind]).toEqual(["publish <default>", 4]);
      expect([processed?.name, processed?.kind]).toEqual(["orders process", 5]);
      expect(processed?.traceId).toBe(sent?.traceId);
      expect(processed?.parentSpanId).toBe(sent?.spanId);
      expect(processed?.attributes).toMatchObject({
        "messaging.system": "rabbitmq",
        "messaging.rabbitmq.routing_key": "orders",
      });
      // Neither the message nor the password in the URL.
      expect(JSON.stringify(sink.spans)).not.toMatch(/secret|guest:guest/);
    },
  );
});

async function run(file: string, library: string, where: readonly string[]) {
  const sink: Sink = await startSink();
  const { code, stdout, stderr } = await runApp(appFile(`servers/${file}`), {
    args: [library, ...where],
    // kafkajs has warnings of Node's own about its timers, with an SDK and without.
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, NODE_NO_WARNINGS: "1" },
  });
  await sink.close();
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return { sink, printed: stdout.trim() };
}
