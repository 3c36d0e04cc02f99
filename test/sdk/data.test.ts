import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isAbsent, startPeer } from "../support/peers.ts";
import type { Peer } from "../support/peers.ts";
import { plain, startSink } from "./support/sink.ts";
import type { Sink } from "./support/sink.ts";
import { appFile, runApp } from "./support/app.ts";

const files = ["main.cjs", "main.mjs"];

describe.skipIf(isAbsent("postgres"))("pg and knex", () => {
  let peer: Peer;
  beforeAll(async () => void (peer = await startPeer("postgres")));
  afterAll(() => peer?.stop());

  test.each(files)(
    "a query is named after what it does to what, its values left out: %s",
    async (file) => {
      const sink = await run(file, { POSTGRES: peer.url });
      const queries = sink.spans.filter(({ scope }) => scope.endsWith("/instrumentation-pg"));
      const described = queries.map(({ name, kind, status, attributes }) => {
        const { "db.query.text": text, "db.collection.name": collection } = attributes;
        return [name, kind, status?.code ?? 0, text, collection];
      });
      expect(described).toEqual([
        ["SELECT postgres", 3, 0, "SELECT $1::text AS answer", undefined],
        ["SELECT postgres", 3, 0, "SELECT ? AS literal, ? AS number", undefined],
        ["SELECT no_such_table", 3, 2, "SELECT * FROM no_such_table", "no_such_table"],
        ["SELECT postgres", 3, 2, "SELECT $1::integer", undefined],
        ["SELECT postgres", 3, 0, "SELECT ? AS pooled", undefined],
        ["SELECT postgres", 3, 0, "select version();", undefined],
        ["SELECT pg_class", 3, 0, expect.stringContaining('"relname" = $1'), "pg_class"],
        ["SELECT pg_class", 3, 2, expect.stringContaining('"relnamespace" = $1'), "pg_class"],
      ]);
      expect(queries[0]?.attributes).toMatchObject({
        "db.system.name": "postgresql",
        "db.namespace": "postgres",
        "db.operation.name": "SELECT",
        "server.address": "127.0.0.1",
      });
      const built = sink.spans.filter(({ scope }) => scope.endsWith("/instrumentation-knex"));
      expect(built.map(({ name, spanId }) => [name, spanId])).toEqual([
        ["select postgres.pg_class", queries.at(-2)?.parentSpanId],
        ["select postgres.pg_class", queries.at(-1)?.parentSpanId],
      ]);
      const failure = "invalid input syntax for type oid: ?";
      expect(built[1]?.status?.message).toContain(failure);
      expect(plain(built[1]?.events?.[0]?.attributes)["exception.message"]).toContain(failure);
      expect(JSON.stringify(sink.spans)).not.toContain("secret");
      expect(sink.metrics.map(({ name }) => name)).toContain("db.client.operation.duration");
    },
  );
});

describe.skipIf(isAbsent("redis"))("redis and ioredis", () => {
  let peer: Peer;
  beforeAll(async () => void (peer = await startPeer("redis")));
  afterAll(() => peer?.stop());

  test.each(files)("a command is one span, values left out: %s", async (file) => {
    const sink = await run(file, { REDIS: peer.url });
    const commands = sink.spans.map(({ name, kind, status, attributes }) => [
      name,
      kind,
      status?.message ?? "",
      attributes["db.query.text"],
    ]);
    const unknown = ["NO-SUCH", 3, "ERR unknown command ?", "NO-SUCH ?"];
    const [set, get] = [
      ["SET", 3, "", "SET sonde-test ?"],
      ["GET", 3, "", "GET sonde-test"],
    ];
    const ofRedis = [set, get, ["MULTI", 3, "", undefined], ["EVAL", 3, "", "EVAL ? ? ?"], unknown];
    const ofIoredis = [set, get, set, get, unknown, ["QUIT", 3, "", "QUIT"]];
    expect(commands).toEqual([...ofRedis, ...ofIoredis]);
    expect(sink.spans[0]?.attributes).toMatchObject({
      "db.system.name": "redis",
      "db.namespace": "0",
      "db.operation.name": "SET",
      "server.address": "127.0.0.1",
      "server.port": Number(new URL(peer.url).port),
    });
    expect(JSON.stringify(sink.spans)).not.toContain("secret");
  });
});

async function run(file: string, env: Readonly<Record<string, string>>): Promise<Sink> {
  const sink = await startSink();
  const ended = await runApp(appFile(`data/${file}`), {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, ...env },
  });
  await sink.close();
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  return sink;
}
