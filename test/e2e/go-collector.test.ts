// The Go collector on either side of ours. As a client it has a queue and tries again: what it accepted
// while we refused must arrive. As a server it refuses for want of memory, and is killed: what we
// accepted meanwhile must arrive.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { delivered, expectBalance, untilDone } from "../support/books.ts";
import { type CollectorProcess, startCollector } from "../support/collector-process.ts";
import { decodeRequest, type Request, sampleBatch } from "../support/otlp.ts";
import { cannotStart, type Peer, startPeer } from "../support/peers.ts";
import { post } from "../support/post.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { until } from "../support/until.ts";

const protocols = ["http", "grpc"] as const;
type Protocol = (typeof protocols)[number];

describe.skipIf(cannotStart("otelcol"))("the Go collector", () => {
  let folder: string;
  let sink: Sink;
  let otelcol: Peer | undefined;
  let collector: CollectorProcess | undefined;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "sonde-otelcol-"));
    sink = await startSink();
  });
  afterEach(async () => {
    await collector?.kill("SIGKILL");
    await otelcol?.stop();
    await sink.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Again on the port that it had. */
  async function startOtelcol(config: string): Promise<Peer> {
    const path = join(folder, "otelcol.yaml");
    writeFileSync(path, config);
    const port = Number(new URL(otelcol?.address["otlp_grpc"] ?? "http://none:0").port);
    return await startPeer("otelcol", { config: path, dir: join(folder, "otelcol"), port });
  }

  describe("as a client that is refused", () => {
    test.each(protocols)(
      "waits as long as it is told and loses nothing, over %s",
      async (via) => {
        const start = async (ports: Readonly<Record<string, string>>): Promise<CollectorProcess> =>
          await startCollector({
            dataDir: join(folder, "data"),
            env: {
              SONDE_OTLP_ENDPOINT: sink.url,
              SONDE_PROMETHEUS_PORT: "off", // the only output: at the limit the log refuses
              SONDE_LOG_MAX_BYTES: "65536",
              ...ports,
            },
          });
        sink.misbehave = (response) => !!response.writeHead(503).end();
        collector = await start({});
        otelcol = await startOtelcol(untiringClient(collector, via));

        const sent = new Set<string>();
        await send(otelcol.address["otlp_http"] ?? "", 60, sent);
        const refused = { receiver: `otlp_${via}`, signal: "traces", outcome: "refused" };
        await until("the log is full", async () => {
          return (await collector?.metric("sonde_receiver_items_total", refused))! > 0;
        });
        const log = join(folder, "otelcol", "log");
        const shortestWaitS = await until("it waits", () => {
          const waits = waitsIn(readFileSync(log, "utf8"));
          return waits.length > 0 && Math.min(...waits);
        });
        // Of its own it would wait 10 ms.
        expect(shortestWaitS).toBeGreaterThanOrEqual(1);
        await expectBalance(collector, "otlp");

        const ports = {
          SONDE_OTLP_HTTP_PORT: new URL(collector.otlpHttp).port,
          SONDE_OTLP_GRPC_PORT: new URL(collector.otlpGrpc).port,
        };
        await collector.kill("SIGKILL");
        collector = await start(ports);
        sink.misbehave = undefined;
        await until("all that it accepted has arrived", () => isIn(sink, sent), 60_000);
        await untilDone(collector, "otlp");
        await expectBalance(collector, "otlp");
        // Of its own account nothing failed for good either.
        await until(
          "it has sent all",
          async () => (await ownMetric(otelcol, "sent_spans")) === 600,
        );
        expect(await ownMetric(otelcol, "send_failed_spans")).toBe(0);
      },
      120_000,
    );
  });

  describe.each(protocols)("as a server over %s", (via) => {
    const target = (): string => {
      const address = otelcol?.address[`otlp_${via}`] ?? "";
      return via === "grpc" ? address.replace("http:", "grpc:") : address;
    };

    test("refuses for want of memory: all arrives when it has some", async () => {
      otelcol = await startOtelcol(durableServer(sink, { memoryMiB: 2 }));
      const limiter = "otelcol_processor_memory_limiter_refused_spans";
      await until("it refuses", async () => {
        await send(otelcol?.address["otlp_http"] ?? "", 1, new Set(), [503]);
        return (await ownMetric(otelcol, limiter)) > 0;
      });
      collector = await startCollector({ env: { SONDE_OTLP_ENDPOINT: target() } });
      const sent = new Set<string>();
      await send(collector.otlpHttp, 30, sent);
      const words = await until("sonde has noticed", () => failureOf(collector!, "otlp"));
      expect(words).toContain("data refused due to high memory usage");
      expect(await delivered(collector, "otlp", "traces")).toBe(0);

      await otelcol.stop();
      otelcol = await startOtelcol(durableServer(sink));
      await until("all has arrived", () => isIn(sink, sent));
      await untilDone(collector, "otlp");
      await expectBalance(collector, "otlp");
      expect(await delivered(collector, "otlp", "traces")).toBe(300);
    });

    test("is killed again and again: all arrives", { timeout: 60_000 }, async () => {
      otelcol = await startOtelcol(durableServer(sink));
      collector = await startCollector({ env: { SONDE_OTLP_ENDPOINT: target() } });
      const sent = new Set<string>();
      for (let round = 0; round < 3; round++) {
        const arrivedBefore = sink.arrived();
        const sending = send(collector.otlpHttp, 100, sent);
        await until("some has arrived", () => sink.arrived() > arrivedBefore);
        process.kill(Number(otelcol.address["pid"]), "SIGKILL");
        await sending;
        await send(collector.otlpHttp, 5, sent); // some at least while it is away
        await until("sonde has noticed", () => failureOf(collector!, "otlp"));
        await otelcol.stop(); // clears up after it
        otelcol = await startOtelcol(durableServer(sink));
      }
      await until("all has arrived", () => isIn(sink, sent), 40_000);
      await untilDone(collector, "otlp");
      await expectBalance(collector, "otlp");
      expect(await delivered(collector, "otlp", "traces")).toBe(3 * 105 * 10);
    });
  });
});

// ── how the Go collector is configured ───────────────────────────────────────────────────────────

const common = `
extensions:
  health_check: { endpoint: "127.0.0.1:\${PORT_4}" }
  file_storage: { directory: "\${DIR}/queue", create_directory: true, fsync: true }
receivers:
  otlp:
    protocols:
      grpc: { endpoint: "127.0.0.1:\${PORT}" }
      http: { endpoint: "127.0.0.1:\${PORT_1}" }
`;

/** Left to itself it tries again every 10 ms. */
function untiringClient(collector: CollectorProcess, via: Protocol): string {
  const [name, destination] =
    via === "http"
      ? ["otlp_http", `endpoint: "${collector.otlpHttp}"`]
      : ["otlp_grpc", `endpoint: "${new URL(collector.otlpGrpc).host}", tls: { insecure: true }`];
  const often =
    "initial_interval: 10ms, max_interval: 10ms, multiplier: 1, randomization_factor: 0";
  return `${common}
exporters:
  ${name}:
    ${destination.replace(", tls", "\n    tls")}
    retry_on_failure: { ${often}, max_elapsed_time: 0 }
    sending_queue: { queue_size: 100000 }
${serviceOf(name, "")}`;
}

/** What it has acknowledged is on disk until the sink has it. */
function durableServer(sink: Sink, { memoryMiB = 1000 } = {}): string {
  return `${common}
processors:
  memory_limiter: { check_interval: 50ms, limit_mib: ${memoryMiB}, spike_limit_mib: 1 }
exporters:
  otlp_http:
    endpoint: "${sink.url}"
    compression: none
    sending_queue: { storage: file_storage }
${serviceOf("otlp_http", "memory_limiter")}`;
}

function serviceOf(exporter: string, processor: string): string {
  return `
service:
  extensions: [health_check, file_storage]
  pipelines:
    traces: { receivers: [otlp], processors: [${processor}], exporters: [${exporter}] }
  telemetry:
    metrics:
      readers:
        - pull: { exporter: { prometheus: { host: 127.0.0.1, port: \${PORT_3} } } }
`;
}

// ── what it says ─────────────────────────────────────────────────────────────────────────────────

/** How long it is going to wait before each retry that its log tells of, in seconds. */
function waitsIn(log: string): number[] {
  const said = /will retry the request after interval.*"interval": "([\d.]+)(ms|s)"/gi;
  return [...log.matchAll(said)].map(([, value, unit]) =>
    unit === "s" ? Number(value) : Number(value) / 1000,
  );
}

/** The sum over all samples, of its exporter unless the name is whole. */
async function ownMetric(otelcol: Peer | undefined, name: string): Promise<number> {
  const whole = name.startsWith("otelcol_") ? name : `otelcol_exporter_${name}`;
  const text = await (await fetch(otelcol?.address["own_metrics"] ?? "")).text();
  const samples = text.split("\n").filter((line) => line.startsWith(whole));
  return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

// ── what is sent and what arrives ────────────────────────────────────────────────────────────────

/** Requests of ten spans, whose ids go into `sent`. */
async function send(
  url: string,
  requests: number,
  sent: Set<string>,
  expected: readonly number[] = [200],
): Promise<void> {
  for (let count = 0; count < requests; count++) {
    const { bytes } = sampleBatch("traces", { items: 10, seed: 1 + sent.size });
    expect(expected).toContain(await post(url, "traces", bytes));
    for (const id of spanIdsOf(decodeRequest("traces", bytes))) sent.add(id);
  }
}

function isIn(sink: Sink, sent: ReadonlySet<string>): boolean {
  const arrived = new Set(
    sink.requests.flatMap(({ bytes }) => spanIdsOf(decodeRequest("traces", bytes))),
  );
  return [...sent].every((id) => arrived.has(id));
}

function spanIdsOf(request: Request): string[] {
  return (request.resourceSpans ?? []).flatMap(({ scopeSpans = [] }) =>
    scopeSpans.flatMap(({ spans = [] }) => spans.map(({ spanId = "" }) => spanId)),
  );
}

/** In what words the output does not get on; undefined while it does. */
async function failureOf(collector: CollectorProcess, name: string): Promise<string | undefined> {
  const health = (await (await fetch(`${collector.web}/health`)).json()) as {
    outputs: { name: string; status: string; last_error?: object }[];
  };
  const output = health.outputs.find((candidate) => candidate.name === name);
  return output?.status === "ok" ? undefined : JSON.stringify(output?.last_error);
}
