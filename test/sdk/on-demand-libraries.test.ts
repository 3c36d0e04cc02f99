// Libraries that the repository does not have; they are installed into a cache when they are first needed.

import { expect, test } from "vitest";
import { onDemand } from "../support/on-demand.ts";
import { isAbsent, startPeer } from "../support/peers.ts";
import { appFile, runApp } from "./support/app.ts";
import { startSink } from "./support/sink.ts";
import type { Sink } from "./support/sink.ts";

const nest = onDemand("nest-fastify-12.5.1", [
  "@nestjs/core@12.5.1",
  "@nestjs/common@12.5.1",
  "@nestjs/platform-fastify@12.5.0",
  "reflect-metadata@0.2.2",
  "rxjs@7.8.2",
]);
// What it leaves out are builds of msgpackr for a platform, which is quicker with them and works without.
const bullmq = onDemand("bullmq-6.7.0", ["--omit=optional", "bullmq@6.7.0", "ioredis@5.11.1"]);

test.skipIf(!nest)("Nest on fastify names its spans by route", async () => {
  const { spans } = await run("nest-fastify.cjs", [nest!]);
  const servers = spans.filter(({ kind }) => kind === 2);
  expect(servers.map(({ name, attributes }) => [name, attributes["http.route"]])).toEqual([
    ["GET /items/:id", "/items/:id"],
    ["GET", undefined],
  ]);
});

test.skipIf(!bullmq || isAbsent("redis"))(
  "BullMQ works as ever; its commands to Redis are spans, their values left out",
  async () => {
    const peer = await startPeer("redis");
    const { spans } = await run("bullmq.cjs", [bullmq!], { REDIS: peer.url });
    await peer.stop();
    expect(new Set(spans.map(({ kind }) => kind))).toEqual(new Set([3]));
    expect(spans.map(({ attributes }) => attributes["db.system.name"])).toContain("redis");
    expect(JSON.stringify(spans)).not.toContain("secret");
  },
);

async function run(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Sink> {
  const sink = await startSink();
  const ended = await runApp(appFile(`on-demand/${file}`), {
    args,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_METRICS_EXPORTER: "none", ...env },
  });
  await sink.close();
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  return sink;
}
