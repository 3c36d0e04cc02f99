// Jaeger as the destination, over gRPC and HTTP: what was sent read back from its query API attribute by
// attribute, and nothing missing after Jaeger, and sonde, were killed in the middle.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { delivered, expectBalance, untilDone } from "../support/books.ts";
import { type CollectorProcess, startCollector } from "../support/collector-process.ts";
import { readTrace, spansOf } from "../support/jaeger.ts";
import {
  attributes,
  encodeRequest,
  type KeyValue,
  type Request,
  sampleRequest,
  type Span,
} from "../support/otlp.ts";
import { cannotStart, isAbsent, type Peer, startPeer } from "../support/peers.ts";
import { post } from "../support/post.ts";
import { until } from "../support/until.ts";

const protocols = ["grpc", "http"] as const;

/** As SONDE_JAEGER_ENDPOINT. */
function endpointOf(jaeger: Peer, protocol: (typeof protocols)[number]): string {
  const address = jaeger.address[`otlp_${protocol}`] ?? "";
  return protocol === "grpc" ? address.replace("http:", "grpc:") : address;
}

describe.skipIf(isAbsent("jaeger"))("in Jaeger", () => {
  let jaeger: Peer;
  beforeAll(async () => {
    jaeger = await startPeer("jaeger");
  });
  afterAll(() => jaeger?.stop());

  test.each(protocols)("a trace is what it was, over %s", async (protocol) => {
    const env = { SONDE_JAEGER_ENDPOINT: endpointOf(jaeger, protocol) };
    const collector = await startCollector({ env });
    try {
      const request = traceWithEverything(protocol === "grpc" ? 1 : 2);
      expect(await post(collector.otlpHttp, "traces", encodeRequest("traces", request))).toBe(200);
      const traceId = traceIdOf(request);
      const found = await until("Jaeger has the trace", () => readTrace(jaeger, traceId));
      expect(inOrder(found)).toEqual(inOrder(request));
    } finally {
      await collector.kill("SIGTERM");
    }
  });
});

describe.skipIf(cannotStart("jaeger"))("when Jaeger is killed", () => {
  test.each(protocols)("nothing is missing, over %s", { timeout: 120_000 }, async (protocol) => {
    const folder = mkdtempSync(join(tmpdir(), "sonde-jaeger-"));
    const dataDir = join(folder, "data");
    const where = { config: join(folder, "jaeger.yaml"), dir: join(folder, "jaeger") };
    writeFileSync(where.config, synchronousOnDisk());
    let jaeger = await startPeer("jaeger", where);
    const port = Number(new URL(jaeger.url).port);
    const env = { SONDE_JAEGER_ENDPOINT: endpointOf(jaeger, protocol) };
    let collector = await startCollector({ dataDir, env });
    const sent = new Map<string, number>();
    const send = async (traces: number): Promise<void> => {
      for (let count = 0; count < traces; count++) {
        const spans = 1 + (sent.size % 4);
        const request = sampleRequest("traces", { items: spans, seed: 1000 + sent.size });
        expect(await post(collector.otlpHttp, "traces", encodeRequest("traces", request))).toBe(
          200,
        );
        sent.set(traceIdOf(request), spans);
      }
    };
    try {
      await send(20);
      await until("some have arrived", async () => {
        return (await delivered(collector, "jaeger", "traces")) > 0;
      });
      for (let round = 0; round < 3; round++) {
        const sending = send(60);
        await until("some of these are sent", () => sent.size > 30 + round * 100);
        process.kill(Number(jaeger.address["pid"]), "SIGKILL");
        await sending;
        await until("sonde has noticed", () => isFailing(collector, "jaeger"));
        if (round === 1) {
          await collector.kill("SIGKILL");
          collector = await startCollector({ dataDir, env });
        }
        await send(40);
        await jaeger.stop(); // clears up after it
        jaeger = await startPeer("jaeger", { ...where, port });
      }
      await untilDone(collector, "jaeger");
      await expectBalance(collector, "jaeger");
      expect(sent.size).toBe(320);
      for (const [traceId, spans] of sent) {
        const trace = await until(`Jaeger has ${traceId}`, () => readTrace(jaeger, traceId));
        // What Jaeger had stored but not said when it was killed came a second time.
        const ids = new Set(spansOf(trace).map(({ spanId }) => spanId));
        expect(ids.size).toBe(spans);
      }
    } finally {
      await collector.kill("SIGKILL");
      await jaeger.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/**
 * Jaeger's own configuration stores in memory, and answers before what it has batched is stored: what it
 * has taken is gone when it is killed. This one stores on disk, and answers then.
 */
function synchronousOnDisk(): string {
  const usual = readFileSync(new URL("../../../shared/peers/jaeger.yaml", import.meta.url), "utf8");
  const folders = 'keys: "${DIR}/keys", values: "${DIR}/values"';
  const changed = usual
    .replace(
      /main: \{ memory: .*\}/,
      `main: { badger: { ephemeral: false, directories: { ${folders} } } }`,
    )
    .replace("processors: [batch], ", "")
    .replace(/processors:\n {2}batch: .*\n/, "");
  expect(changed).toMatch(/badger/);
  expect(changed).not.toMatch(/batch/);
  return changed;
}

async function isFailing(collector: CollectorProcess, name: string): Promise<boolean> {
  const health = (await (await fetch(`${collector.web}/health`)).json()) as {
    outputs: { name: string; status: string }[];
  };
  return health.outputs.some((output) => output.name === name && output.status !== "ok");
}

// ── what is sent ─────────────────────────────────────────────────────────────────────────────────

/** Two spans of a trace that have a value of every kind. */
function traceWithEverything(seed: number): Request {
  const request = sampleRequest("traces", { items: 2, seed });
  const [first] = spansOf(request);
  const { startTimeUnixNano = "0" } = first!;
  Object.assign(first!, {
    traceState: "vendor=value",
    attributes: [...(first!.attributes ?? []), ...everyKind],
    events: [
      {
        timeUnixNano: startTimeUnixNano,
        name: "retry",
        attributes: attributes({ attempt: 2, reasons: ["timeout", "reset"] }),
      },
    ],
    links: [
      {
        traceId: "ab".repeat(16),
        spanId: "cd".repeat(8),
        traceState: "other=one",
        attributes: attributes({ "link.kind": "batch" }),
      },
    ],
    status: { code: 2, message: "out of stock" },
  } satisfies Span);
  return request;
}

const everyKind: readonly KeyValue[] = [
  { key: "kind.text", value: { stringValue: "naïve 东京 🛰" } },
  { key: "kind.empty", value: { stringValue: "" } },
  { key: "kind.yes", value: { boolValue: true } },
  { key: "kind.no", value: { boolValue: false } },
  { key: "kind.largest", value: { intValue: "9223372036854775807" } },
  { key: "kind.least", value: { intValue: "-9223372036854775808" } },
  { key: "kind.double", value: { doubleValue: 0.1 } },
  {
    key: "kind.array",
    value: { arrayValue: { values: [{ intValue: "1" }, { stringValue: "b" }] } },
  },
  {
    key: "kind.map",
    value: { kvlistValue: { values: [{ key: "a", value: { intValue: "1" } }] } },
  },
  { key: "kind.bytes", value: { bytesValue: "AAEC/w==" } },
];

const traceIdOf = (request: Request): string => spansOf(request)[0]?.traceId ?? "";

// ── what is read back ────────────────────────────────────────────────────────────────────────────

/** Jaeger gives spans and attributes in an order of its own. */
function inOrder(request: Request): unknown {
  return JSON.parse(JSON.stringify(request), (name, value: unknown) => {
    if (name === "attributes") return (value as KeyValue[]).toSorted(by("key"));
    return name === "spans" ? (value as Span[]).toSorted(by("spanId")) : value;
  });
}

const by =
  <Key extends string>(key: Key) =>
  (left: { [key in Key]?: string }, right: { [key in Key]?: string }): number =>
    (left[key] ?? "") < (right[key] ?? "") ? -1 : 1;
