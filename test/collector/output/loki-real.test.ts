// Against a real Loki, by both protocols: that LogQL finds what was sent, exactly, and what Loki's refusals
// look like in truth.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { open } from "../../../collector/output/loki/loki.ts";
import { settings } from "../../../collector/output/loki/settings.ts";
import type { Delivery, Output } from "../../../collector/output/output.ts";
import { outputContext } from "../../contract/output.ts";
import { anyValue, attributes, encodeRequest, type LogRecord } from "../../support/otlp.ts";
import { isAbsent, type Peer, startPeer } from "../../support/peers.ts";
import { until } from "../../support/until.ts";

const never = new AbortController().signal;
const second = 1_000_000_000n;
/** Of the first record. */
const begin = (BigInt(Date.now()) - 600_000n) * 1_000_000n;

describe.skipIf(isAbsent("loki")).each(["otlp", "push"] as const)(
  "a real Loki, by %s",
  (protocol) => {
    let peer: Peer;
    let output: Output;

    beforeAll(async () => {
      peer = await startPeer("loki");
      output = await open(settings.parse({ url: peer.url, protocol }), outputContext());
    });
    afterAll(async () => {
      await output?.close();
      await peer?.stop();
    });

    interface Series {
      readonly metric: Readonly<Record<string, string>>;
      readonly value: readonly [number, string];
    }
    interface Stream {
      readonly stream: Readonly<Record<string, string>>;
      readonly values: readonly (readonly [at: string, line: string])[];
    }

    async function ask<Result>(path: string, query: Record<string, string>): Promise<Result[]> {
      const response = await fetch(
        `${peer.url}/loki/api/v1/${path}?${String(new URLSearchParams(query))}`,
      );
      const text = await response.text();
      if (!response.ok) throw new Error(`${path} ${query["query"]}: ${text}`);
      return (JSON.parse(text) as { data: { result: Result[] } }).data.result;
    }

    const find = (query: string): Promise<Stream[]> =>
      ask("query_range", {
        query,
        start: String(begin - second),
        end: String(begin + 700n * second),
        limit: "5000",
        direction: "forward",
      });

    const count = async (query: string): Promise<number> => {
      const series = await ask<Series>("query", { query, time: String(begin + 599n * second) });
      return series.reduce((sum, { value }) => sum + Number(value[1]), 0);
    };

    /** The labels of each. */
    async function streamsOf(selector: string): Promise<object[]> {
      const query = new URLSearchParams({ "match[]": selector, start: String(begin) });
      const response = await fetch(`${peer.url}/loki/api/v1/series?${String(query)}`);
      return ((await response.json()) as { data: object[] }).data;
    }

    function deliveryOf(service: string, records: readonly LogRecord[]): Delivery {
      const resource = { attributes: attributes({ "service.name": service, "host.name": "a" }) };
      const bytes = encodeRequest("logs", {
        resourceLogs: [
          { resource, scopeLogs: [{ scope: { name: "pino" }, logRecords: [...records] }] },
        ],
      });
      const batch = { signal: "logs" as const, bytes, items: records.length };
      const entries = [{ position: 0, atMs: Date.now(), batch }];
      return { signal: "logs", entries, items: records.length, bytes: bytes.length };
    }

    const record = (index: number, body: string, more: Partial<LogRecord> = {}): LogRecord => ({
      timeUnixNano: String(begin + BigInt(index) * second),
      severityNumber: 9,
      severityText: "INFO",
      body: anyValue(body),
      ...more,
    });

    test("queries over labels, lines, JSON and structured metadata give exact counts", async () => {
      const records = Array.from({ length: 500 }, (_, index) => {
        const isError = index % 5 === 0;
        const text = JSON.stringify({ message: isError ? "an error" : "fine", duration_ms: index });
        return record(index, text, {
          attributes: attributes({ "http.route": `/orders/${index % 4}` }),
          ...(isError ? { severityNumber: 17, severityText: "ERROR" } : {}),
          traceId: index.toString(16).padStart(32, "0"),
        });
      });
      for (let from = 0; from < records.length; from += 100) {
        const delivery = deliveryOf("shop", records.slice(from, from + 100));
        expect(await output.deliver(delivery, never)).toEqual({ kind: "delivered" });
      }
      const all = '{service_name="shop"}';
      await until(
        "they are found",
        async () => (await count(`count_over_time(${all}[10m])`)) === 500,
      );
      const durations = `${all} |= "error" | json | duration_ms > 100`;
      expect(await count(`count_over_time(${durations} [10m])`)).toBe(79);
      expect(await count(`count_over_time(${all} | http_route="/orders/1" [10m])`)).toBe(125);
      expect(await count(`count_over_time(${all} | severity_text="ERROR" [10m])`)).toBe(100);
      expect(await count(`sum(rate(${all} |= "error" [10m])) * 600`)).toBeCloseTo(100, 6);
      const one = await find(`${all} | trace_id="${(7).toString(16).padStart(32, "0")}"`);
      expect(one.map(({ values }) => values)).toEqual([
        [[String(begin + 7n * second), '{"message":"fine","duration_ms":7}']],
      ]);
      expect(one[0]!.stream).toMatchObject({ host_name: "a", scope_name: "pino" });
      expect(await streamsOf(all)).toEqual([{ service_name: "shop" }]);
    });

    test("the same records twice are stored once", async () => {
      const records = Array.from({ length: 50 }, (_, index) => record(index, `line ${index}`));
      for (let time = 0; time < 2; time++) {
        const outcome = await output.deliver(deliveryOf("twice", records), never);
        expect(outcome).toEqual({ kind: "delivered" });
      }
      const counted = await until("they are found", async () => {
        const found = await count(`count_over_time({service_name="twice"}[10m])`);
        return found >= 50 ? found : undefined;
      });
      expect(counted).toBe(50);
    });

    test("what is too long is refused for good, and the others are stored", async () => {
      const records = [record(0, "before"), record(1, "x".repeat(300_000)), record(2, "after")];
      const outcome = await output.deliver(deliveryOf("long", records), never);
      expect(outcome).toMatchObject({ kind: "rejected", reason: "partial_success" });
      const found = await until("the others are found", async () => {
        const streams = await find('{service_name="long"}');
        const lines = streams.flatMap(({ values }) => values.map(([, line]) => line));
        return lines.length >= 2 ? lines : undefined;
      });
      expect(found.toSorted()).toEqual(["after", "before"]);
    });
  },
);
