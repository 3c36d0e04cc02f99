// The host comes first: whatever happens to telemetry, the app runs as it would alone.

import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { listenLocally } from "../support/listen.ts";
import { until } from "../support/until.ts";
import { plainValue, startSink } from "./support/sink.ts";
import { appFile, runApp, startApp } from "./support/app.ts";

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

describe("a collector that does not work", () => {
  test("that is not there costs one line on stderr and no time", async () => {
    const ended = await runApp(appFile("exit/main.cjs"), {
      args: ["natural"],
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" },
    });
    expect(ended.code).toBe(4);
    expect(ended.stderr).toMatch(
      /^sonde: cannot send to http:\/\/127\.0\.0\.1:9: .*ECONNREFUSED.*\n$/,
    );
    expect(ended.tookMs).toBeLessThan(5000);
  });

  test.each(["natural", "sigterm", "exit"])(
    "that takes connections and never answers delays an end by %s by two seconds at most",
    async (ending) => {
      const hole = createServer(() => {});
      cleanups.push(() => void hole.close());
      const port = await listenLocally(hole);
      const ended = await runApp(appFile("exit/main.cjs"), {
        args: [ending],
        env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` },
      });
      expect([ended.code, ended.signal]).toEqual(
        { natural: [4, null], sigterm: [null, "SIGTERM"], exit: [3, null] }[ending],
      );
      expect(ended.stderr).toBe("");
      expect(ended.tookMs).toBeLessThan(6000);
    },
  );

  test("that fails for a moment gets what was recorded meanwhile, without a word", async () => {
    const sink = await startSink();
    cleanups.push(() => sink.close());
    sink.status = 503;
    const app = startApp(appFile("plain/main.cjs"), {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_BSP_SCHEDULE_DELAY: "50" },
    });
    await fetch(await app.url());
    await until("traces come", () => sink.requests.some(({ path }) => path === "/v1/traces"));
    sink.status = 200;
    await until("a span is taken", () => sink.spans.length > 0);
    const { stderr } = await app.stop();
    expect(stderr).toBe(""); // a short outage is no news
  });

  test("that is away costs no more memory than is set aside, and what is lost is counted", async () => {
    const sink = await startSink();
    cleanups.push(() => sink.close());
    sink.status = 503;
    const { code, stdout, stderr } = await runApp(appFile("exit/flood.cjs"), {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_METRICS_EXPORTER: "none" },
    });
    expect(code).toBe(0);
    expect(Number(stdout)).toBeLessThan(60); // megabytes; without a bound it is 300
    const lines = stderr.trim().split("\n");
    expect(lines).toContainEqual(
      expect.stringMatching(/^sonde: \d+ bytes of telemetry wait to be sent, what comes now is/),
    );
    const lost = /^sonde: (\d+) spans and log records were lost/.exec(lines.at(-1) ?? "")?.[1];
    expect(Number(lost)).toBeGreaterThan(100_000);
    expect(Number(lost)).toBeLessThan(200_000);
  });

  test("that refuses is named with its reason, once", async () => {
    const sink = await startSink();
    cleanups.push(() => sink.close());
    sink.status = 401;
    const { stderr } = await runApp(appFile("exit/main.cjs"), {
      args: ["natural"],
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
        OTEL_METRICS_EXPORTER: "none",
        OTEL_LOGS_EXPORTER: "none",
      },
    });
    expect(stderr).toBe(`sonde: ${sink.url}/v1/traces refuses telemetry: 401 Unauthorized\n`);
  });
});

test("console prints the same bytes as without the SDK, and each line is sent", async () => {
  const sink = await startSink();
  cleanups.push(() => sink.close());
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url };
  const alone = await runApp(appFile("plain/console.cjs"), { env, preload: "none" });
  const ended = await runApp(appFile("plain/console.cjs"), { env });
  expect([ended.stdout, ended.stderr]).toEqual([alone.stdout, alone.stderr]);
  expect(
    sink.logs.slice(0, 5).map(({ body, severityText }) => [severityText, plainValue(body)]),
  ).toEqual([
    ["info", "plain text 7 { nested: { deep: { deeper: 1 } } }"],
    ["info", ""],
    ["warn", "warned Map(1) { 'key' => 'value' }"],
    ["error", "[Object: null prototype] {} Symbol(odd) 10n"],
    ["debug", "debugged"],
  ]);
});

test("OTEL_SDK_DISABLED=true loads nothing and sends nothing", async () => {
  const sink = await startSink();
  cleanups.push(() => sink.close());
  const ended = await runApp(appFile("exit/main.cjs"), {
    args: ["natural"],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_SDK_DISABLED: "true" },
  });
  expect(ended).toMatchObject({ code: 4, stderr: "" });
  expect(sink.requests).toEqual([]);
});

describe("environment", () => {
  test("garbage in every variable is told in a line each and the app runs", async () => {
    const ended = await runApp(appFile("exit/main.cjs"), {
      args: ["natural"],
      env: {
        OTEL_TRACES_SAMPLR: "always_on",
        OTEL_TRACES_SAMPLER: "sometimes",
        OTEL_EXPORTER_OTLP_ENDPOINT: "localhost",
        OTEL_EXPORTER_OTLP_TIMEOUT: "soon",
        OTEL_EXPORTER_OTLP_CERTIFICATE: "/no/such/file",
        OTEL_EXPORTER_OTLP_HEADERS: "==,=",
        OTEL_BSP_MAX_QUEUE_SIZE: "-1",
        OTEL_METRIC_EXPORT_INTERVAL: "0",
        OTEL_RESOURCE_ATTRIBUTES: "a",
        OTEL_METRICS_EXPORTER: "none",
        OTEL_LOGS_EXPORTER: "none",
        OTEL_TRACES_EXPORTER: "none",
      },
    });
    expect(ended.code).toBe(4);
    expect(ended.stderr.trimEnd().split("\n")).toHaveLength(9);
    expect(ended.stderr).toContain(
      "sonde: OTEL_TRACES_SAMPLR: no such setting; did you mean OTEL_TRACES_SAMPLER?\n",
    );
  });

  test("a Node that the app starts is not preloaded twice and does not complain again", async () => {
    const ended = await runApp(appFile("plain/parent.cjs"), {
      preload: "none",
      env: {
        NODE_OPTIONS: "--conditions=source --require sonde/register --import sonde/register",
        OTEL_TRACES_EXPORTER: "none",
        OTEL_METRICS_EXPORTER: "none",
        OTEL_LOGS_EXPORTER: "none",
        OTEL_SERVICE_NAM: "typo",
      },
    });
    expect(ended.stdout).toBe("0 child\n");
    expect(ended.stderr).toBe(
      "sonde: OTEL_SERVICE_NAM: no such setting; did you mean OTEL_SERVICE_NAME?\n",
    );
  });
});

test("instrumentations of libraries that the app does not load are not loaded", async () => {
  const app = startApp(appFile("plain/main.cjs"), { env: noExporters });
  const answer = await fetch(`${await app.url()}/loaded`);
  const loaded = (await answer.json()) as string[];
  await app.stop();
  const packages = loaded.map((file) => /node_modules\/(@opentelemetry\/[^/]+)/.exec(file)?.[1]);
  const instrumentations = new Set(packages.filter((name) => name?.includes("instrumentation-")));
  expect(instrumentations).toEqual(new Set());
  expect(packages.some((name) => /sdk-node|grpc|prometheus|configuration/.test(name ?? ""))).toBe(
    false,
  );
});

const noExporters = {
  OTEL_TRACES_EXPORTER: "none",
  OTEL_METRICS_EXPORTER: "none",
  OTEL_LOGS_EXPORTER: "none",
};

describe("metrics for Prometheus", () => {
  const env = { ...noExporters, OTEL_METRICS_EXPORTER: "prometheus", OTEL_SERVICE_NAME: "scraped" };

  test("are served, and a scrape is neither traced nor counted", async () => {
    const sink = await startSink();
    cleanups.push(() => sink.close());
    const port = await freePort();
    const app = startApp(appFile("plain/main.cjs"), {
      env: {
        ...env,
        OTEL_TRACES_EXPORTER: "otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
        OTEL_EXPORTER_PROMETHEUS_PORT: String(port),
      },
    });
    await fetch(await app.url());
    const scrape = async (): Promise<string> =>
      (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    await scrape();
    const text = await scrape();
    await app.stop();
    expect(text).toMatch(/^http_server_request_duration_count\{[^\n]*\} 1$/m);
    expect(text).toContain('service_name="scraped"');
    expect(sink.spans).toHaveLength(1);
  });

  test("on a port that is taken cost a line, not the app", async () => {
    const other = createServer();
    cleanups.push(() => void other.close());
    const port = await listenLocally(other);
    const app = startApp(appFile("plain/main.cjs"), {
      env: { ...env, OTEL_EXPORTER_PROMETHEUS_PORT: String(port) },
    });
    const answer = await fetch(await app.url());
    const { stderr } = await app.stop();
    expect(await answer.text()).toBe("hello");
    expect(stderr).toMatch(/^sonde: metrics are not served on 127\.0\.0\.1:\d+: .*EADDRINUSE.*\n$/);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listenLocally(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
