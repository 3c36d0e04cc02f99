import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Examination } from "../../../sdk/doctor/doctor.ts";
import { satisfies } from "../../../sdk/instrument/versions.ts";
import { startCollector as startTestCollector } from "../../../sdk/testing/testing.ts";
import { startCollector } from "../../support/collector-process.ts";
import { runSonde } from "../../support/run-sonde.ts";

const register = fileURLToPath(new URL("../../../sdk/register.ts", import.meta.url));
const preloaded = { NODE_OPTIONS: `--require ${register}` };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-doctor-"));
  writeFileSync(join(folder, "app.js"), "throw new Error('the app was run')");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function examine(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Examination & { ok: boolean; status: number | null }> {
  const { status, stdout, stderr } = await runSonde(["doctor", "--json", ...args], {
    dataDir: folder,
    env,
  });
  if (stderr !== "") throw new Error(stderr);
  return { status, ...(JSON.parse(stdout) as Examination & { ok: boolean }) };
}

/** A package.json and what is installed of it, by name and version. */
function project(packages: Readonly<Record<string, string>>): void {
  const dependencies = Object.fromEntries(Object.keys(packages).map((name) => [name, "*"]));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "shop", dependencies }));
  for (const [name, version] of Object.entries(packages)) {
    const path = join(folder, "node_modules", name);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "package.json"), JSON.stringify({ name, version }));
  }
}

describe("with a collector that runs here", () => {
  test("all is well, and the test span is found where it went", async () => {
    const collector = await startCollector({ dataDir: folder });
    const env = {
      ...preloaded,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.otlpHttp,
      OTEL_EXPORTER_OTLP_HEADERS: "api-key=very-secret",
    };
    project({ express: "5.1.0", lodash: "4.0.0" });
    const args = ["doctor", "--", process.execPath, "app.js"];
    const { status, stdout } = await runSonde(args, { dataDir: folder, env });
    expect(stdout.replaceAll(/[\da-f]{32}/g, "TRACE").replaceAll(/127\.0\.0\.1:\d+/g, "HERE")).toBe(
      `Node          ✓  ${process.versions.node}  ${process.execPath}

SDK           ✓  preloaded by NODE_OPTIONS

Settings      ✓  OTEL_EXPORTER_OTLP_ENDPOINT  http://HERE
              ✓  OTEL_EXPORTER_OTLP_HEADERS   api-key=…
              ✓  SONDE_DATA_DIR               ${folder}
              ✓  SONDE_WEB_PORT               0

Instrumented  ✓  of Node: http, undici, console, runtime-node
              ✓  express  5.1.0

Not           ·  nobody makes spans of: lodash

Endpoints     ✓  traces   http://HERE/v1/traces   http/protobuf
              ✓  metrics  http://HERE/v1/metrics  http/protobuf
              ✓  logs     http://HERE/v1/logs     http/protobuf

Test span     ✓  TRACE  arrived; prometheus: filtered

All is well.
`,
    );
    expect(status).toBe(0);
    await collector.kill("SIGTERM");
  });

  test("settings that lead elsewhere are told where it is", async () => {
    const collector = await startCollector({ dataDir: folder });
    const { problems, status } = await examine([], {
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
    });
    expect(status).toBe(1);
    expect(problems).toEqual([
      expect.stringMatching(/^http:\/\/127\.0\.0\.1:9: nobody listens there/),
      `a collector runs here on ${collector.otlpHttp}: set OTEL_EXPORTER_OTLP_ENDPOINT, or use sonde run`,
    ]);
    await collector.kill("SIGTERM");
  });
});

describe("elsewhere", () => {
  test("the span is sent as the app's would be", async () => {
    const collector = await startTestCollector();
    onTestFinished(() => collector.close());
    const { ok, testSpan, preload } = await examine([], {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_SERVICE_NAME: "shop",
      OTEL_TRACES_SAMPLER: "always_off",
    });
    expect({ ok, preload }).toEqual({ ok: true, preload: undefined });
    const [span] = await collector.spans({ service: "shop" });
    expect(testSpan).toEqual({ traceId: span?.traceId, outcome: "accepted" });
    expect(collector.received.spans).toHaveLength(1);
  });

  test.each([
    [401, /it answers 401 Unauthorized; see OTEL_EXPORTER_OTLP_HEADERS$/],
    [404, /it answers 404 Not Found; is it the address of an OTLP receiver/],
    [500, /it answers 500 Internal Server Error$/],
  ])("an answer of %i is a problem", async (answer, told) => {
    const server = createServer((_request, response) => response.writeHead(answer).end());
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo; // it listens on TCP
    const url = `http://127.0.0.1:${port}`;
    const { problems, status } = await examine([], { OTEL_EXPORTER_OTLP_ENDPOINT: url });
    expect(problems).toEqual([expect.stringMatching(told)]);
    expect(status).toBe(1);
  });

  test("a port that speaks no HTTP/1.1 is a problem", async () => {
    const server = createTcpServer((socket) => socket.end("\0\0\x12\x04\0\0\0\0\0"));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo; // it listens on TCP
    const url = `http://127.0.0.1:${port}`;
    const { problems } = await examine([], { OTEL_EXPORTER_OTLP_ENDPOINT: url });
    expect(problems).toEqual([expect.stringMatching(/speaks no HTTP\/1\.1; 4317 is the port/)]);
  });
});

describe("an app", () => {
  const off = {
    OTEL_TRACES_EXPORTER: "none",
    OTEL_METRICS_EXPORTER: "none",
    OTEL_LOGS_EXPORTER: "none",
  };

  test.each([
    [["node", "app.js"], {}, undefined],
    [["node", "--import", "sonde/register", "app.js"], {}, "the command line"],
    [["node", "app.js"], preloaded, "NODE_OPTIONS"],
    [["sonde", "run", "--", "node", "app.js"], {}, "sonde run"],
  ])("started by %j with %o is preloaded by %s", async (command, env, by) => {
    const { preload, problems } = await examine(["--", ...command], { ...off, ...env });
    expect(preload).toBe(by);
    expect(problems).toEqual(
      by === undefined
        ? [
            "nothing preloads the SDK: start the app by: npx sonde run -- node app.js, " +
              "or by: node --import sonde/register app.js",
          ]
        : [],
    );
  });

  test("has its packages told apart, with the reason", async () => {
    project({
      axios: "1.0.0",
      "better-sqlite3": "12.0.0",
      express: "3.0.0",
      lodash: "4.0.0",
      pg: "8.10.0",
      redis: "5.0.0",
      "@redis/client": "5.0.0",
      pino: "9.0.0",
    });
    const { libraries } = await examine([], {
      ...off,
      OTEL_NODE_DISABLED_INSTRUMENTATIONS: "pino",
    });
    expect(
      libraries.packages.map(({ name, isInstrumented, why }) => [name, isInstrumented, why]),
    ).toEqual([
      ["@redis/client", true, ""],
      ["axios", true, "its requests are those of http"],
      ["better-sqlite3", false, "nobody instruments it"],
      ["express", false, ">=4.0.0 <6 is supported"],
      ["pg", true, ""],
      ["pino", false, "pino is switched off by OTEL_NODE_…_INSTRUMENTATIONS"],
      ["redis", true, ""],
    ]);
    expect(libraries.others).toEqual(["lodash"]);
  });

  test("with wrong settings is told what is meant", async () => {
    const { problems, status } = await examine([], { ...off, OTEL_TRACES_SAMPLR: "always_on" });
    expect(problems).toEqual([
      "OTEL_TRACES_SAMPLR: no such setting; did you mean OTEL_TRACES_SAMPLER?",
    ]);
    expect(status).toBe(1);
  });
});

test.each([
  ["5.3.0", ">=4.0.0 <6", true],
  ["6.0.0", ">=4.0.0 <6", false],
  ["4.0.0", ">=4.0.0 <6", true],
  ["3.9.9", ">=4.0.0 <6", false],
  ["1.2.3-beta.1", "^1.2.0", true],
  ["2.0.0", "^1.2.0", false],
  ["0.3.0", "^0.2.0", false],
  ["1.2.9", "~1.2.3", true],
  ["1.3.0", "~1.2.3", false],
  ["7.0.0", "<5 || >=7", true],
  ["1.0.0", "*", true],
])("%s in %s: %s", (version, range, isIn) => {
  expect(satisfies(version, range)).toBe(isIn);
});
