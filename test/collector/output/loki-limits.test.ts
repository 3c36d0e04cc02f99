// A real Loki that takes no old entries and not many at a time: what it refuses becomes dead letters, what it
// took is not sent again, and what it asks to wait with is waited with.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { open } from "../../../collector/output/loki/loki.ts";
import { settings } from "../../../collector/output/loki/settings.ts";
import type { Delivery, Outcome, Output } from "../../../collector/output/output.ts";
import { outputContext } from "../../contract/output.ts";
import { anyValue, attributes, encodeRequest, type LogRecord } from "../../support/otlp.ts";
import { cannotStart, type Peer, startPeer } from "../../support/peers.ts";
import { until } from "../../support/until.ts";

const never = new AbortController().signal;
const hourMs = 3_600_000;

describe.skipIf(cannotStart("loki")).each(["otlp", "push"] as const)(
  "a strict Loki, by %s",
  (protocol) => {
    const folder = mkdtempSync(join(tmpdir(), "sonde-loki-"));
    let peer: Peer;
    let output: Output;

    beforeAll(async () => {
      const usual = readFileSync(new URL("../../../../shared/peers/loki.yaml", import.meta.url));
      const limits =
        "{ reject_old_samples: true, reject_old_samples_max_age: 2h, " +
        "ingestion_rate_mb: 1, ingestion_burst_size_mb: 1 }";
      const config = join(folder, "loki.yaml");
      writeFileSync(
        config,
        usual.toString().replace(/limits_config: .*/, `limits_config: ${limits}`),
      );
      peer = await startPeer("loki", { config, dir: join(folder, "loki") });
      output = await open(settings.parse({ url: peer.url, protocol }), outputContext());
    });
    afterAll(async () => {
      await output?.close();
      await peer?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    function deliveryOf(service: string, logRecords: LogRecord[]): Delivery {
      const resource = { attributes: attributes({ "service.name": service }) };
      const bytes = encodeRequest("logs", {
        resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }],
      });
      const batch = { signal: "logs" as const, bytes, items: logRecords.length };
      const entries = [{ position: 0, atMs: Date.now(), batch }];
      return { signal: "logs", entries, items: logRecords.length, bytes: bytes.length };
    }

    const record = (body: string, hoursAgo = 0): LogRecord => ({
      timeUnixNano: `${Date.now() - hoursAgo * hourMs}000000`,
      body: anyValue(body),
    });

    async function lines(service: string): Promise<string[]> {
      const query = new URLSearchParams({
        query: `{service_name="${service}"}`,
        start: `${Date.now() - 24 * hourMs}000000`,
        end: `${Date.now() + 1000}000000`,
      });
      const response = await fetch(`${peer.url}/loki/api/v1/query_range?${String(query)}`);
      const { data } = (await response.json()) as {
        data: { result: { values: [string, string][] }[] };
      };
      return data.result.flatMap(({ values }) => values.map(([, line]) => line));
    }

    test("refuses what is too old for good, with the count of it, and has stored the others", async () => {
      const records = [record("old", 5), record("new"), record("older", 7), record("newer")];
      const outcome = await output.deliver(deliveryOf("old", records), never);
      expect(outcome).toMatchObject({ kind: "rejected", reason: "partial_success" });
      expect(outcome).toHaveProperty("detail", expect.stringMatching(/^HTTP 400 .*too (far|old)/));
      expect(outcome).toHaveProperty(
        "items",
        expect.toSatisfy((items: number) => items <= 4),
      );
      const found = await until("the others are found", async () => {
        const all = await lines("old");
        return all.length >= 2 ? all : undefined;
      });
      expect(found.toSorted()).toEqual(["new", "newer"]);
    });

    test("asks to wait when it gets too much, and takes it afterwards", async () => {
      const text = "x".repeat(1_000);
      const delivery = (at: number): Delivery =>
        deliveryOf(
          `much-${at}`,
          Array.from({ length: 400 }, () => record(text)),
        );
      const outcomes: Outcome[] = [];
      while (outcomes.length < 20 && outcomes.at(-1)?.kind !== "retry") {
        outcomes.push(await output.deliver(delivery(outcomes.length), never));
      }
      expect(outcomes.at(-1)).toMatchObject({ kind: "retry", reason: "busy" });
      await until("it takes it", async () => {
        const { kind } = await output.deliver(delivery(outcomes.length - 1), never);
        return kind === "delivered";
      });
    });
  },
);
