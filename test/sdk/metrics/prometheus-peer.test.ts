// An app's own metrics, scraped by a real Prometheus: it asks for OpenMetrics, and is strict about it.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cannotStart, startPeer } from "../../support/peers.ts";
import { until } from "../../support/until.ts";
import { appFile, startApp } from "../support/app.ts";
import { freePort } from "../support/http.ts";
import { startSink } from "../support/sink.ts";

interface Answer {
  readonly data: unknown;
}
interface Target {
  readonly health: string;
  readonly lastError: string;
}
interface Exemplars {
  readonly exemplars: readonly { readonly labels: { readonly trace_id: string } }[];
}

describe.skipIf(cannotStart("prometheus"))("a Prometheus that scrapes an app", () => {
  test("takes all that it tells, and the exemplars lead to its traces", async () => {
    const port = await freePort();
    const sink = await startSink();
    const app = startApp(appFile("http/main.cjs"), {
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
        OTEL_METRICS_EXPORTER: "prometheus",
        OTEL_EXPORTER_PROMETHEUS_PORT: String(port),
        SONDE_HOST_METRICS: "true",
      },
    });
    await (await fetch(await app.url())).text();
    const folder = mkdtempSync(join(tmpdir(), "sonde-scrape-"));
    const config = join(folder, "prometheus.yml");
    const job = {
      job_name: "app",
      scrape_interval: "1s",
      scrape_timeout: "1s",
      static_configs: [{ targets: [`127.0.0.1:${port}`] }],
    };
    writeFileSync(config, JSON.stringify({ scrape_configs: [job] })); // JSON is YAML
    const prometheus = await startPeer("prometheus", {
      config,
      args: ["--enable-feature=exemplar-storage"],
    });
    const ask = async (path: string): Promise<unknown> => {
      const answer = await fetch(`${prometheus.url}/api/v1/${path}`);
      return ((await answer.json()) as Answer).data;
    };
    try {
      const found = await until("it has an exemplar", async () => {
        const { activeTargets } = (await ask("targets")) as { activeTargets: Target[] };
        expect(activeTargets.map(({ lastError }) => lastError)).toEqual([""]);
        const query = "query_exemplars?query=http_server_request_duration_bucket&start=0&end=9e9";
        const series = (await ask(query)) as Exemplars[];
        return series.length > 0 && series;
      });
      const ids = found.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id));
      await app.stop();
      expect(new Set(ids)).toEqual(
        new Set(sink.spans.filter(({ kind }) => kind === 2).map(({ traceId }) => traceId)),
      );
      const names = (await ask("label/__name__/values")) as string[];
      expect(names).toContain("process_cpu_time_total");
      expect(names).toContain("system_memory_usage");
      expect(names.length).toBeGreaterThan(40);
    } finally {
      await prometheus.stop();
      await sink.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
