import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isAbsent, startPeer } from "../support/peers.ts";
import type { Peer } from "../support/peers.ts";
import { startSink } from "./support/sink.ts";
import type { Sink } from "./support/sink.ts";
import { appFile, runApp } from "./support/app.ts";

const files = ["main.cjs", "main.mjs"];

describe.skipIf(isAbsent("postgres"))("pg", () => {
  let peer: Peer;
  beforeAll(async () => void (peer = await startPeer("postgres")));
  afterAll(() => peer?.stop());

  test.each(files)("queries are spans with operation, text and database: %s", async (file) => {
    const sink = await run(file, { POSTGRES: peer.url });
    const queries = sink.spans.filter(
      ({ attributes }) => attributes["db.query.text"] !== undefined,
    );
    expect(queries.map(({ attributes }) => attributes)).toEqual([
      expect.objectContaining({
        "db.system.name": "postgresql",
        "db.query.text": "SELECT $1::text AS answer",
        "server.address": "127.0.0.1",
      }),
      expect.objectContaining({ "db.query.text": "SELECT * FROM no_such_table" }),
    ]);
    expect(queries[1]?.status?.code).toBe(2);
    expect(JSON.stringify(sink.spans)).not.toContain("secret");
    expect(sink.metrics.map(({ name }) => name)).toContain("db.client.operation.duration");
  });
});

describe.skipIf(isAbsent("redis"))("redis", () => {
  let peer: Peer;
  beforeAll(async () => void (peer = await startPeer("redis")));
  afterAll(() => peer?.stop());

  test.each(files)("commands are spans, values left out: %s", async (file) => {
    const sink = await run(file, { REDIS: peer.url });
    const commands = sink.spans.filter(
      ({ attributes }) => attributes["db.query.text"] !== undefined,
    );
    expect(commands.map(({ attributes }) => attributes["db.query.text"])).toEqual(
      expect.arrayContaining(["SET sonde-test [1 other arguments]", "GET sonde-test"]),
    );
    expect(commands[0]?.attributes["db.system.name"]).toBe("redis");
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
