// The Prometheus output: folds the points it is given into series, and shows these at /metrics. What it
// holds is the present state only; nothing is kept for a scrape that did not come.

import { openAccess } from "../../access.ts";
import type { Output, OutputContext } from "../output.ts";
import { type Endpoint, serveMetrics } from "./endpoint.ts";
import { Metrics } from "./metrics.ts";
import type { Settings } from "./settings.ts";
import { keepOnDisk, sweepNowAndThen } from "./upkeep.ts";

export async function open(settings: Settings, context: OutputContext): Promise<Output> {
  const { incidents } = context;
  const metrics = new Metrics(settings, {
    leftOut: (metric, { detail }) => incidents.metricLeftOut(context.name, metric, detail),
  });
  let endpoint: Endpoint | undefined;
  if (settings.port !== "off") {
    await keepOnDisk(metrics, context);
    const { host, access = openAccess } = context;
    const scrape = metrics.scrape.bind(metrics);
    endpoint = await serveMetrics({ host, port: settings.port, scrape, access });
    context.ready("Prometheus metrics", endpoint.url);
  }
  const stopSweeping = sweepNowAndThen(() => metrics.sweep(), context);
  return {
    wants: endpoint ? ["metrics"] : [], // without anybody to show them to there is no use in taking them
    maxItems: 10_000,
    maxBytes: 8 * 1024 * 1024,
    deliver: (delivery) => metrics.deliver(delivery),
    async close() {
      stopSweeping();
      await endpoint?.close();
      await metrics.close();
    },
  };
}
