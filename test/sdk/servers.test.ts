// Libraries against servers: Kafka, MariaDB, memcached and RabbitMQ, and what stands in for MongoDB and for Amazon's.
// PostgreSQL and Redis: data.test.ts.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { onDemand } from "../support/on-demand.ts";
import { isAbsent, startPeer } from "../support/peers.ts";
import type { Peer } from "../support/peers.ts";
import { appFile, runApp } from "./support/app.ts";
import { isMissing, startServer } from "./support/servers.ts";
import type { Server } from "./support/servers.ts";
import { plain, startSink } from "./support/sink.ts";
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
    expect(printed).toBe("ER_NO_SUCH_TABLE Duplicate entry 'secret' for key 'PRIMARY' 1");
    const queries = sink.spans.map(({ name, kind, status, attributes }) => {
      return [name, kind, status?.code ?? 0, attributes["db.query.text"]];
    });
    expect(queries).toEqual([
      ["SELECT", 3, 0, "SELECT ? AS answer"],
      ["SELECT", 3, 0, "SELECT ? AS literal, ? AS number"],
      ["SELECT", 3, 2, "SELECT * FROM test.no_such_table"],
      ["CREATE", 3, 0, "CREATE TEMPORARY TABLE mysql.taken (id CHAR(?) PRIMARY KEY)"],
      ["INSERT", 3, 0, "INSERT INTO mysql.taken VALUES (?)"],
      ["INSERT", 3, 2, "INSERT INTO mysql.taken VALUES (?)"],
      ["SELECT", 3, 0, "SELECT ? AS one"],
    ]);
    expect(sink.spans[5]?.status?.message).toBe("Duplicate entry ? for key ?");
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

const mongo = onDemand("mongodb-7.9.0", ["mongodb@7.9.0", "mongoose@9.12.1"]);

describe.skipIf(!mongo || isMissing("mongodb"))("MongoDB", () => {
  let server: Server;
  beforeAll(async () => void (server = await startServer("mongodb")));
  afterAll(() => server?.stop());

  test.each(files)(
    "a command of mongodb is a span, values left out, and fails as the write does: %s",
    async (file) => {
      const where = [mongo!, server.address, `driver_${file.slice(-3)}`];
      const { sink, printed } = await run(file, "mongodb", where);
      expect(printed).toBe("secret 11000");
      expect(sink.spans.map(({ name, kind, status }) => [name, kind, status?.code ?? 0])).toEqual([
        ["insert orders", 3, 0],
        ["find orders", 3, 0],
        ["update orders", 3, 0],
        ["insert orders", 3, 2],
        ["create orders", 3, 2],
      ]);
      const [address, port] = server.address.split(":");
      expect(sink.spans.at(-1)?.attributes).toMatchObject({
        "db.collection.name": "orders",
        "db.response.status_code": "48",
        "error.type": "48",
      });
      expect(sink.spans.at(-2)?.attributes).toMatchObject({
        "db.system.name": "mongodb",
        "db.namespace": where[2],
        "db.collection.name": "orders",
        "db.operation.name": "insert",
        "db.query.text": '{"_id":"?","card":"?"}',
        "db.response.status_code": "11000",
        "error.type": "11000",
        "server.address": address,
        "server.port": Number(port),
      });
      expect(JSON.stringify(sink.spans)).not.toContain("secret");
    },
  );

  test.each(files)("an operation of mongoose is one span, of its model: %s", async (file) => {
    const where = [mongo!, server.address, `models_${file.slice(-3)}`];
    const { sink, printed } = await run(file, "mongoose", where);
    expect(printed).toMatch(/^secret 0 E11000 .* dup key: .* "secret"/);
    expect(sink.spans.map(({ name, kind, status }) => [name, kind, status?.code ?? 0])).toEqual([
      ["save items", 3, 0],
      ["findOne items", 3, 0],
      ["save items", 3, 2],
      ["countDocuments items", 3, 0],
      ["create orders", 3, 0],
      ["create orders", 3, 0],
    ]);
    // It is there already, which mongoose keeps to itself.
    const { attributes } = sink.spans.at(-1)!;
    expect(attributes).toMatchObject({ "db.response.status_code": "48" });
    expect(attributes).not.toHaveProperty("error.type");
    const [failure] = sink.spans[2]?.events ?? [];
    expect(plain(failure?.attributes)).toMatchObject({
      "exception.message": expect.stringMatching(/^E11000 .* dup key: .* \?/),
      "exception.stacktrace": expect.stringMatching(/E11000 .* \?[^]* at /),
    });
    expect(sink.spans[0]?.attributes).toMatchObject({
      "db.system.name": "mongodb",
      "db.namespace": where[2],
      "db.collection.name": "items",
      "db.operation.name": "save",
    });
    expect(JSON.stringify(sink.spans)).not.toContain("secret");
  });
});

const aws = onDemand("aws-sdk-3.1169.0", [
  "@aws-sdk/client-s3@3.1169.0",
  "@aws-sdk/client-sqs@3.1169.0",
  "@aws-sdk/client-dynamodb@3.1162.0",
]);

describe.skipIf(!aws || isMissing("aws"))("the AWS SDK", () => {
  let server: Server;
  beforeAll(async () => void (server = await startServer("aws")));
  afterAll(() => server?.stop());

  const described = ({ spans }: Sink) =>
    spans.map(({ name, kind, status, attributes }) => [
      name,
      kind,
      status?.code ?? 0,
      attributes["http.response.status_code"],
    ]);

  test.each(files)("a call of S3 is one span, and none for its HTTP: %s", async (file) => {
    const bucket = `orders-${file.slice(-3)}`;
    const { sink, printed } = await run(file, "@aws-sdk/client-s3", [aws!, server.address, bucket]);
    expect(printed).toBe("secret NoSuchKey");
    expect(described(sink)).toEqual([
      ["S3.CreateBucket", 3, 0, 200],
      ["S3.PutObject", 3, 0, 200],
      ["S3.GetObject", 3, 0, 200],
      ["S3.GetObject", 3, 2, 404],
    ]);
    expect(sink.spans[1]?.attributes).toMatchObject({
      "rpc.system": "aws-api",
      "rpc.service": "S3",
      "rpc.method": "PutObject",
      "aws.s3.bucket": bucket,
      "aws.request.id": expect.stringMatching(/./),
      "cloud.region": "eu-central-1",
    });
    const [failure] = sink.spans[3]?.events ?? [];
    expect(plain(failure?.attributes)["exception.type"]).toBe("NoSuchKey");
    expect(JSON.stringify(sink.spans)).not.toContain("secret");
  });

  test.each(files)("a message of SQS carries its trace to who receives it: %s", async (file) => {
    const queue = `jobs-${file.slice(-3)}`;
    const { sink, printed } = await run(file, "@aws-sdk/client-sqs", [aws!, server.address, queue]);
    expect(printed).toBe("secret");
    expect(described(sink)).toEqual([
      ["SQS.CreateQueue", 3, 0, 200],
      [`${queue} send`, 4, 0, 200],
      [`${queue} receive`, 5, 0, 200],
    ]);
    const [, sent, received] = sink.spans;
    expect(sent?.attributes).toMatchObject({
      "rpc.service": "SQS",
      "messaging.system": "aws_sqs",
      "messaging.destination.name": queue,
      "messaging.message.id": expect.stringMatching(/./),
    });
    expect(received?.links).toMatchObject([{ traceId: sent?.traceId, spanId: sent?.spanId }]);
    expect(JSON.stringify(sink.spans)).not.toContain("secret");
  });

  test.each(files)("a call of DynamoDB is a span of a database: %s", async (file) => {
    const table = `items-${file.slice(-3)}`;
    const where = [aws!, server.address, table];
    const { sink, printed } = await run(file, "@aws-sdk/client-dynamodb", where);
    expect(printed).toBe("secret");
    expect(described(sink)).toEqual([
      ["DynamoDB.CreateTable", 3, 0, 200],
      ["DynamoDB.PutItem", 3, 0, 200],
      ["DynamoDB.GetItem", 3, 0, 200],
    ]);
    expect(sink.spans[2]?.attributes).toMatchObject({
      "rpc.service": "DynamoDB",
      "db.system.name": "dynamodb",
      "db.namespace": table,
      "db.operation.name": "GetItem",
      "aws.dynamodb.table_names": [table],
    });
    expect(JSON.stringify(sink.spans)).not.toContain("secret");
  });
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
