// SDKs that are not ours, through the collector and on to the Go collector, over HTTP and gRPC, with and
// without compression.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signals } from "../../collector/wire/batch.ts";
import { expectBalance, untilDone } from "../support/books.ts";
import { cleanEnv, type CollectorProcess, startCollector } from "../support/collector-process.ts";
import { cannotStart, isAbsent, type Peer, sendFrom, startPeer } from "../support/peers.ts";
import { receivedBy } from "../support/received.ts";
import { type Relay, startRelay } from "../support/relay.ts";
import { until } from "../support/until.ts";

const count = 10;

type Protocol = "http" | "grpc";

interface Sending {
  readonly endpoint: string;
  readonly protocol: Protocol;
  readonly env: Readonly<Record<string, string>>;
}

const nodeClient = fileURLToPath(new URL("clients/node.ts", import.meta.url));

async function sendFromNode({ endpoint, protocol, env }: Sending): Promise<void> {
  const all = {
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_PROTOCOL: protocol === "http" ? "http/protobuf" : "grpc",
    OTEL_SERVICE_NAME: "node-client",
    OTEL_TRACES_EXPORTER: "otlp",
    OTEL_METRICS_EXPORTER: "otlp",
    OTEL_LOGS_EXPORTER: "otlp",
    ...env,
  };
  await promisify(execFile)(process.execPath, [nodeClient, String(count)], { env: cleanEnv(all) });
}

interface Client {
  readonly name: string;
  readonly service: string;
  readonly spans: number;
  readonly send: (sending: Sending) => Promise<void>;
}

/** Each sends `count` log records, and of metrics what it likes. */
const clients: Client[] = [
  { name: "Node", service: "node-client", spans: 2 * count, send: sendFromNode },
];
if (!isAbsent("python")) {
  const send = (given: Sending): Promise<void> => sendFrom("python", { ...given, count });
  clients.push({ name: "Python", service: "python-client", spans: 2 * count, send });
}
if (!isAbsent("go")) {
  const send = (given: Sending): Promise<void> => sendFrom("go", { ...given, count });
  clients.push({ name: "Go", service: "go-client", spans: 2 * count, send });
}

describe.skipIf(cannotStart("otelcol"))("to the Go collector", () => {
  let otelcol: Peer;
  let collectors: Readonly<Record<Protocol, CollectorProcess>>;
  let relays: Readonly<Record<Protocol, Relay>>;

  beforeAll(async () => {
    otelcol = await startPeer("otelcol");
    const { otlp_http: http = "", otlp_grpc: grpc = "" } = otelcol.address;
    const [overHttp, overGrpc] = await Promise.all([
      startCollector({ env: { SONDE_OTLP_ENDPOINT: http, SONDE_OTLP_COMPRESSION: "gzip" } }),
      startCollector({ env: { SONDE_OTLP_ENDPOINT: grpc.replace("http:", "grpc:") } }),
    ]);
    collectors = { http: overHttp, grpc: overGrpc };
    relays = {
      http: await startRelay(overHttp.otlpHttp),
      grpc: await startRelay(overGrpc.otlpGrpc),
    };
  });
  afterAll(async () => {
    await relays?.http.close();
    await relays?.grpc.close();
    await collectors?.http.kill("SIGTERM");
    await collectors?.grpc.kill("SIGTERM");
    await otelcol?.stop();
  });

  describe.each(clients)("the SDK for $name", (client) => {
    test.each(["http", "grpc"] as const)("over %s, both in and out", async (protocol) => {
      const plainBytes = await expectPassage(client, { protocol, env: {} });
      const env = { OTEL_EXPORTER_OTLP_COMPRESSION: "gzip" };
      const gzipBytes = await expectPassage(client, { protocol, env });
      expect(gzipBytes).toBeLessThan(plainBytes * 0.8); // it was compressed indeed
    });
  });

  test("the SDK for Node with OTLP/JSON", async () => {
    const env = { OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" };
    await expectPassage(clients[0]!, { protocol: "http", env });
  });

  /** Returns how many bytes the client has sent for it. */
  async function expectPassage(
    { service, spans, send }: Client,
    { protocol, env }: Pick<Sending, "protocol" | "env">,
  ): Promise<number> {
    const collector = collectors[protocol];
    const relay = relays[protocol];
    const taken = async (): Promise<number[]> => {
      const what = { receiver: `otlp_${protocol}`, outcome: "accepted" };
      const metric = "sonde_receiver_items_total";
      return await Promise.all(
        signals.map((signal) => collector.metric(metric, { ...what, signal })),
      );
    };
    const takenBefore = await taken();
    const before = receivedBy(otelcol, service);
    await send({ endpoint: relay.url, protocol, env });
    const takenNow = (await taken()).map((items, index) => items - takenBefore[index]!);
    expect(takenNow).toEqual([spans, takenNow[1], count]);
    expect(takenNow[1]).toBeGreaterThan(0);

    await until("the Go collector has written it down", () => {
      const now = receivedBy(otelcol, service);
      const arrived = signals.map((signal) => now[signal] - before[signal]);
      return String(arrived) === String(takenNow);
    });
    await untilDone(collector, "otlp");
    await expectBalance(collector, "otlp");
    const rejected = { output: "otlp", outcome: "rejected" };
    expect(await collector.metric("sonde_output_items_total", rejected)).toBe(0);
    return relay.takeBytes();
  }
});
