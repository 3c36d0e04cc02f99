// Libraries at work under the SDK: those that need no server, or an answer from nobody. With servers: data.test.ts.
// What is not installed here is shown to start its instrumentation and to stay as it was.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appFile, runApp, startApp } from "./support/app.ts";
import type { Ended, RunOptions } from "./support/app.ts";
import { startSink } from "./support/sink.ts";
import type { Sink } from "./support/sink.ts";

const files = ["main.cjs", "main.mjs"];

describe.each(files)("%s", (file) => {
  const spansOf = async (library: string, options?: RunOptions) => {
    const { sink, ended } = await run(file, library, options);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    const spans = sink.spans.map(({ kind, name, status }) => [kind, name, status?.code ?? 0]);
    spans.sort((a, b) => (a.join() < b.join() ? -1 : 1));
    return { spans, sink, printed: ended.stdout.trim().split("\n") };
  };

  test("grpc-js: a call is a client's and a server's span in one trace", async () => {
    const { spans, sink, printed } = await spansOf("@grpc/grpc-js");
    expect(printed).toEqual(["hello 5"]);
    expect(spans).toEqual([
      [2, "grpc.test.Greeter/Fail", 2],
      [2, "grpc.test.Greeter/Say", 0],
      [3, "grpc.test.Greeter/Fail", 2],
      [3, "grpc.test.Greeter/Say", 0],
    ]);
    const [server, client] = sink.spans.filter(({ name }) => name?.endsWith("/Say"));
    expect(server?.parentSpanId).toBe(client?.spanId);
    expect(new Set(sink.spans.map(({ traceId }) => traceId)).size).toBe(2);
  });

  test("graphql: an operation is one span, errors and all, without the values in it", async () => {
    const { spans, sink, printed } = await spansOf("graphql");
    expect(printed).toEqual(['{"hello":"hello secret"} 0', '{"bad":null} 1']);
    expect(spans).toEqual([
      [1, "query", 0],
      [1, "query", 2],
    ]);
    expect(sink.spans[0]?.attributes).toEqual({
      "graphql.operation.type": "query",
      "graphql.operation.name": "Greet",
    });
    expect(JSON.stringify(sink.spans)).not.toContain("secret");
  });

  test("socket.io: a message is a span, and listeners can be removed as without the SDK", async () => {
    const { spans, sink, printed } = await spansOf("socket.io");
    expect(printed).toEqual(["0 listeners", "hello back"]);
    expect(spans.filter(([kind]) => kind === 5)).toEqual([[5, "receive /", 0]]);
    const received = sink.spans.find(({ kind }) => kind === 5);
    expect(received?.attributes["messaging.socket.io.event_name"]).toBe("say");
  });

  test("kafkajs: a broker that is not there is the app's error, as without the SDK", async () => {
    const { printed } = await spansOf("kafkajs");
    const alone = await runApp(appFile(`libraries/${file}`), {
      preload: "none",
      args: ["kafkajs"],
    });
    expect(printed).toEqual(alone.stdout.trim().split("\n"));
  });

  test.each([
    ["koa", "GET /items/:id"],
    ["@hapi/hapi", "GET /items/{id}"],
  ])("%s: its routes name the server spans of the reference engine, too", async (library, name) => {
    const { spans } = await spansOf(library, { env: { SONDE_ENGINE: "opentelemetry" } });
    expect(spans.filter(([kind]) => kind === 2)).toEqual([[2, name, 0]]);
  });
});

async function run(
  file: string,
  library: string,
  options: RunOptions = {},
): Promise<{ sink: Sink; ended: Ended }> {
  const sink = await startSink();
  const ended = await runApp(appFile(`libraries/${file}`), {
    ...options,
    args: [library],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, ...options.env },
  });
  await sink.close();
  return { sink, ended };
}

test("what instruments libraries that an app does not use is not loaded, nor is what hooks modules", async () => {
  const app = startApp(appFile("plain/main.cjs"), {
    env: { ...silent, OTEL_NODE_DISABLED_INSTRUMENTATIONS: "http,undici,runtime-node" },
  });
  const answer = await fetch(`${await app.url()}/loaded`);
  const loaded = (await answer.json()) as string[];
  await app.stop();
  const hooks = /instrumentation|(require|import)-in-the-middle/;
  expect(loaded.filter((file) => file.includes("node_modules") && hooks.test(file))).toEqual([]);
});

describe("a library that is not installed here, as a package of its name", () => {
  let folder: string;
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "sonde-libraries-"))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each([
    ["amqplib", "amqplib"],
    ["@aws-sdk/smithy-client", "aws-sdk"],
    ["memcached", "memcached"],
    ["mongodb", "mongodb"],
    ["mongoose", "mongoose"],
    ["mysql2", "mysql2"],
  ])("%s loads its instrumentation with it and keeps its exports", async (library, name) => {
    const home = join(folder, "node_modules", library);
    mkdirSync(home, { recursive: true });
    // Of a version that no instrumentation knows, or it would look for what to patch.
    writeFileSync(
      join(home, "package.json"),
      JSON.stringify({ name: library, version: "999.0.0" }),
    );
    writeFileSync(join(home, "index.js"), "exports.Client = class Client {};");
    const app = join(folder, "main.cjs");
    writeFileSync(
      app,
      `const exported = require(process.argv[2]);
      const loaded = Object.keys(require.cache).filter((file) => file.includes("/instrumentation-"));
      const names = loaded.map((file) => /instrumentation-([^/]+)/.exec(file)[1]);
      console.log(Object.keys(exported).join(), [...new Set(names)].join());`,
    );
    const ended = await runApp(app, {
      args: [library],
      env: { ...silent, OTEL_NODE_DISABLED_INSTRUMENTATIONS: "http,undici,runtime-node,console" },
    });
    // Of aws-sdk's packages none is what a user would know by its version.
    const line = `sonde: ${library} 999.0.0 is perhaps not traced: `;
    const stderr = name === "aws-sdk" ? /^$/ : new RegExp(`^${line}>=.* is supported\n$`);
    expect(ended).toMatchObject({ code: 0, stdout: `Client ${name}\n` });
    expect(ended.stderr).toMatch(stderr);
  });

  test("and one that a preload before ours has loaded is told of, once", async () => {
    const home = join(folder, "node_modules", "mysql2");
    mkdirSync(home, { recursive: true });
    writeFileSync(
      join(home, "package.json"),
      JSON.stringify({ name: "mysql2", version: "999.0.0" }),
    );
    writeFileSync(join(home, "index.js"), "exports.Client = class Client {};");
    const early = join(folder, "early.cjs");
    writeFileSync(early, 'require("mysql2");');
    const main = join(folder, "empty.cjs");
    writeFileSync(main, "");
    const env = { ...silent, NODE_OPTIONS: `--require ${early}` };
    expect(await runApp(main, { env })).toMatchObject({
      code: 0,
      stderr:
        "sonde: loaded before sonde and so perhaps not traced: mysql2; preload sonde/register first\n",
    });
  });
});

const silent = {
  OTEL_TRACES_EXPORTER: "none",
  OTEL_METRICS_EXPORTER: "none",
  OTEL_LOGS_EXPORTER: "none",
};
