// Libraries that the repository does not have; they are installed into a cache when they are first needed.

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { onDemand } from "../support/on-demand.ts";
import { isAbsent, startPeer } from "../support/peers.ts";
import { until } from "../support/until.ts";
import { appFile, runApp, startApp } from "./support/app.ts";
import type { Preload } from "./support/app.ts";
import { plain, startSink } from "./support/sink.ts";
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

// Without the engine that it would fetch from a server of its own, and does not need to make a client.
const prisma = onDemand("prisma-7.10.1", [
  "--ignore-scripts",
  "prisma@7.10.1",
  "@prisma/client@7.10.0",
  "@prisma/adapter-pg@7.10.1",
]);

/** Into a folder that finds the packages. */
async function generatePrisma(modules: string): Promise<string> {
  const folder = mkdtempSync(join(modules, "generated-"));
  cpSync(appFile("on-demand/prisma/schema.prisma"), join(folder, "schema.prisma"));
  const program = join(modules, "node_modules/prisma/build/index.js");
  const { status, stderr } = spawnSync(process.execPath, [program, "generate"], {
    cwd: folder,
    env: {
      PATH: process.env["PATH"],
      PRISMA_SCHEMA_ENGINE_BINARY: "/bin/true",
      CHECKPOINT_DISABLE: "1",
    },
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  await build({
    entryPoints: [join(folder, "generated/client.ts")],
    outfile: join(folder, "client.cjs"),
    bundle: true,
    platform: "node",
    packages: "external",
  });
  return folder;
}

test.skipIf(!prisma || isAbsent("postgres"))(
  "what Prisma asks of PostgreSQL is seen as queries of pg, their values left out",
  async () => {
    const peer = await startPeer("postgres");
    const folder = await generatePrisma(prisma!);
    const { spans } = await run("prisma.cjs", [folder], { POSTGRES: peer.url });
    rmSync(folder, { recursive: true });
    await peer.stop();
    expect(spans.map(({ name }) => name)).toEqual([
      "CREATE Item",
      "INSERT public.Item",
      "SELECT public.Item",
    ]);
    expect(JSON.stringify(spans)).not.toContain("secret");
  },
  60_000,
);

test.skipIf(!nest)(
  "Nest on fastify names its spans by route and tells what was thrown",
  async () => {
    const { spans } = await run("nest-fastify.cjs", [nest!]);
    const servers = spans.filter(({ kind }) => kind === 2);
    expect(servers.map(({ name, attributes }) => [name, attributes["http.route"]])).toEqual([
      ["GET /items/:id", "/items/:id"],
      ["GET /items/:id/fail", "/items/:id/fail"],
      ["GET", undefined],
    ]);
    const told = servers.map(({ events = [] }) => events.map((event) => plain(event.attributes)));
    expect(told).toMatchObject([[], [{ "exception.message": "as asked" }], []]);
  },
);

test.skipIf(!nest).each(["import", "require"] as const)(
  "what the first request of an app that imports Nest throws is told, preloaded by %s",
  async (preload) => {
    // Where its imports find the packages, as those of any app.
    const folder = mkdtempSync(join(nest!, "app-"));
    const file = join(folder, "main.mjs");
    cpSync(appFile("on-demand/nest-import.mjs"), file);
    const { spans } = await run(file, [], {}, preload);
    rmSync(folder, { recursive: true });
    const server = spans.find(({ kind }) => kind === 2);
    expect(server).toMatchObject({ name: "GET /items/:id/fail", events: [{ name: "exception" }] });
    const [event] = server?.events ?? [];
    expect(plain(event?.attributes)).toMatchObject({ "exception.message": "as asked" });
  },
);

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

test.skipIf(!bullmq || isAbsent("redis"))(
  "how many jobs BullMQ's queues hold is told where it is asked for, and nowhere else",
  async () => {
    const peer = await startPeer("redis");
    const told = async (env: Readonly<Record<string, string>>): Promise<Sink> => {
      const sink = await startSink();
      const app = startApp(appFile("on-demand/bullmq-counts.cjs"), {
        args: [bullmq!],
        env: {
          OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
          OTEL_METRIC_EXPORT_INTERVAL: "100",
          REDIS: peer.url,
          ...env,
        },
      });
      await app.url();
      const before = sink.metrics.length;
      await until("it has been exported a few times", () => {
        const since = sink.metrics.slice(before);
        return since.filter(({ name }) => name === "process.uptime").length > 3;
      });
      const { stderr } = await app.stop();
      expect(stderr).toBe("");
      await sink.close();
      return sink;
    };
    const jobsIn = ({ metrics }: Sink) => {
      const found = metrics.findLast(({ name }) => name === "bullmq.queue.jobs");
      return found?.gauge?.dataPoints?.map(({ attributes, asInt }) =>
        [...Object.values(plain(attributes)), asInt].join(" "),
      );
    };
    const unasked = await told({});
    expect(jobsIn(unasked)).toBeUndefined();
    const asked = await told({ SONDE_QUEUE_METRICS: "true" });
    expect(jobsIn(asked)).toEqual([
      "mails waiting 6",
      "mails active 0",
      "mails delayed 0",
      "mails failed 0",
      "bills waiting 0",
      "bills active 0",
      "bills delayed 2",
      "bills failed 0",
    ]);
    // Asking Redis is nobody's request.
    expect(asked.spans).toHaveLength(unasked.spans.length);
    await peer.stop();
  },
  30_000,
);

async function run(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  preload: Preload = "import",
): Promise<Sink> {
  const sink = await startSink();
  const ended = await runApp(isAbsolute(file) ? file : appFile(`on-demand/${file}`), {
    args,
    preload,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_METRICS_EXPORTER: "none", ...env },
  });
  await sink.close();
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  return sink;
}
