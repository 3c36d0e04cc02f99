// The Prometheus output: folds the points it is given into series, and shows these at /metrics. What it
// holds is the present state only; nothing is kept for a scrape that did not come.

import { join } from "node:path";
import { openAccess } from "../../access.ts";
import type { Output, OutputContext } from "../output.ts";
import { StateFile } from "../state-file.ts";
import { type Endpoint, serveMetrics } from "./endpoint.ts";
import { Metrics } from "./metrics.ts";
import type { Settings } from "./settings.ts";

/** What has expired is not shown; this is only how long its memory is held after that. */
const sweepMs = 30_000;

export async function open(settings: Settings, context: OutputContext): Promise<Output> {
  const { incidents } = context;
  const metrics = new Metrics(settings, {
    leftOut: (metric, { detail }) => incidents.metricLeftOut(context.name, metric, detail),
  });
  let endpoint: Endpoint | undefined;
  if (settings.port !== "off") {
    await keep(metrics, context);
    const { host, access = openAccess } = context;
    const scrape = metrics.scrape.bind(metrics);
    endpoint = await serveMetrics({ host, port: settings.port, scrape, access });
    context.ready("Prometheus metrics", endpoint.url);
  }
  const failed = (error: unknown): void => incidents.outputFailed(context.name, error);
  const timer = setInterval(() => void metrics.sweep().catch(failed), sweepMs);
  timer.unref();
  return {
    wants: endpoint ? ["metrics"] : [], // without anybody to show them to there is no use in taking them
    maxItems: 10_000,
    maxBytes: 8 * 1024 * 1024,
    deliver: (delivery) => metrics.deliver(delivery),
    async close() {
      clearInterval(timer);
      await endpoint?.close();
      await metrics.close();
    },
  };
}

async function keep(metrics: Metrics, context: OutputContext): Promise<void> {
  const { name, logId, incidents, stateDir, settled } = context;
  if (stateDir === undefined || !settled) return;
  const file = new StateFile(join(stateDir, `${name}.state`));
  await metrics.keep({ name, file, logId, incidents, settled: () => settled("metrics") });
}
