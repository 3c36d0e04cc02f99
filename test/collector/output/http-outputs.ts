// The outputs over HTTP, for what is the same for all of them.

import { open as openElasticsearch } from "../../../collector/output/elasticsearch/elasticsearch.ts";
import { settings as elasticsearchSettings } from "../../../collector/output/elasticsearch/settings.ts";
import { open as openLoki } from "../../../collector/output/loki/loki.ts";
import { settings as lokiSettings } from "../../../collector/output/loki/settings.ts";
import { open as openOtlp } from "../../../collector/output/otlp/otlp.ts";
import { settings as otlpSettings } from "../../../collector/output/otlp/settings.ts";
import { open as openRemoteWrite } from "../../../collector/output/prometheus/remote-write.ts";
import { remoteWriteSettings } from "../../../collector/output/prometheus/remote-write-settings.ts";
import type { HttpOutput } from "../../contract/faults.ts";
import { idsIn } from "../../contract/trouble.ts";
import { readPush } from "./loki-server.ts";
import { readSamples } from "./remote-write-server.ts";

export const otlpOverHttp: HttpOutput = {
  signal: "traces",
  open: ({ url: endpoint, ...more }, context) =>
    openOtlp(
      otlpSettings.parse({ endpoint, ...more, max_in_flight: 3, max_request_items: 50 }),
      context,
    ),
  idsIn: ({ body }) => idsIn("traces", body),
  thanks: (_request, response) => void response.end(),
  isIdempotent: false,
  trustsStatus: true,
};

export const lokiBy = (protocol: "otlp" | "push"): HttpOutput => ({
  signal: "logs",
  open: (given, context) =>
    openLoki(lokiSettings.parse({ ...given, protocol, max_request_items: 50 }), context),
  idsIn: ({ body }) =>
    protocol === "otlp"
      ? idsIn("logs", body)
      : Object.values(readPush(body)).flatMap((entries) =>
          entries.map(({ metadata }) => metadata["span_id"]!),
        ),
  thanks: (_request, response) => void response.writeHead(204).end(),
  isIdempotent: false,
  trustsStatus: true,
});

export const elasticsearch: HttpOutput = {
  signal: "logs",
  open: (given, context) => openElasticsearch(elasticsearchSettings.parse(given), context),
  idsIn: ({ path, body }) =>
    path.startsWith("/_bulk") ? documentsIn(body).map(({ span_id }) => span_id) : undefined,
  thanks: ({ body }, response) => {
    const items = documentsIn(body).map(() => ({ create: { status: 201 } }));
    response.end(JSON.stringify({ items }));
  },
  isIdempotent: true,
  trustsStatus: false,
};

export const remoteWrite: HttpOutput = {
  signal: "metrics",
  open: (given, context) => openRemoteWrite(remoteWriteSettings.parse(given), context),
  idsIn: ({ body }) =>
    readSamples(body, "1.0")
      .map(({ labels }) => labels["id"])
      .filter((id) => id !== undefined),
  thanks: (_request, response) => void response.writeHead(204).end(),
  isIdempotent: true, // a sample that is there already is no other one
  trustsStatus: true,
};

function documentsIn(body: Buffer): { span_id: string }[] {
  const lines = body.toString().trimEnd().split("\n");
  return lines
    .filter((_, at) => at % 2 === 1)
    .map((line) => JSON.parse(line) as { span_id: string });
}
