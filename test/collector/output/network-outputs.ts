// The outputs that send over the network, for what is the same for all of them.

import type { ServerResponse } from "node:http";
import { open as openElasticsearch } from "../../../collector/output/elasticsearch/elasticsearch.ts";
import { settings as elasticsearchSettings } from "../../../collector/output/elasticsearch/settings.ts";
import { open as openLoki } from "../../../collector/output/loki/loki.ts";
import { settings as lokiSettings } from "../../../collector/output/loki/settings.ts";
import { open as openOtlp } from "../../../collector/output/otlp/otlp.ts";
import { settings as otlpSettings } from "../../../collector/output/otlp/settings.ts";
import { open as openRemoteWrite } from "../../../collector/output/prometheus/remote-write.ts";
import { remoteWriteSettings } from "../../../collector/output/prometheus/remote-write-settings.ts";
import type { Subject } from "../../contract/faults.ts";
import { idsIn } from "../../contract/trouble.ts";
import { overGrpc, thank, type TroubledCall } from "../../support/troubled-grpc.ts";
import { overHttp } from "../../support/troubled-http.ts";
import { readPush } from "./loki-server.ts";
import { readSamples } from "./remote-write-server.ts";

export const otlpOverHttp: Subject<ServerResponse> = {
  transport: overHttp,
  signal: "traces",
  open: ({ url: endpoint, ...more }, context) =>
    openOtlp(
      otlpSettings.parse({ endpoint, ...more, max_in_flight: 3, max_request_items: 50 }),
      context,
    ),
  idsIn: ({ body }) => idsIn("traces", body),
  thanks: (_request, response) => void response.end(),
  isIdempotent: false,
  takesOddThanks: true,
};

export const otlpOverGrpc: Subject<TroubledCall> = {
  transport: overGrpc,
  signal: "traces",
  open({ url: given, headers, ...more }, context) {
    // The user of an address is for HTTP; here it goes where gRPC has it.
    const { username, password } = new URL(given);
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    const endpoint = given.replace(/^http/, "grpc").replace(/\/\/[^@]*@/, "//");
    const settings = { endpoint, headers: { ...headers, authorization }, ...more };
    return openOtlp(otlpSettings.parse({ ...settings, max_request_items: 50 }), context);
  },
  idsIn: ({ body }) => idsIn("traces", body),
  thanks: (_request, call) => thank(call),
  isIdempotent: true, // it is asked again when it has not said all of its answer
  takesOddThanks: false,
};

export const lokiBy = (protocol: "otlp" | "push"): Subject<ServerResponse> => ({
  transport: overHttp,
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
  takesOddThanks: true,
});

export const elasticsearch: Subject<ServerResponse> = {
  transport: overHttp,
  signal: "logs",
  async open(given, context) {
    const output = await openElasticsearch(elasticsearchSettings.parse(given), context);
    const { wants, maxBytes, maxInFlight = 1 } = output;
    return {
      wants,
      maxItems: 50, // so that several deliveries are under way
      maxBytes,
      maxInFlight,
      deliver: (...delivery) => output.deliver(...delivery),
      close: () => output.close(),
    };
  },
  idsIn: ({ path, body }) =>
    path.startsWith("/_bulk") ? documentsIn(body).map(({ span_id }) => span_id) : undefined,
  thanks: ({ body }, response) => {
    const items = documentsIn(body).map(() => ({ create: { status: 201 } }));
    response.end(JSON.stringify({ items }));
  },
  isIdempotent: true,
  takesOddThanks: false,
};

export const remoteWrite: Subject<ServerResponse> = {
  transport: overHttp,
  signal: "metrics",
  open: (given, context) => openRemoteWrite(remoteWriteSettings.parse(given), context),
  idsIn: ({ body }) =>
    readSamples(body, "1.0")
      .map(({ labels }) => labels["id"])
      .filter((id) => id !== undefined),
  thanks: (_request, response) => void response.writeHead(204).end(),
  isIdempotent: true, // a sample that is there already is no other one
  takesOddThanks: true,
};

function documentsIn(body: Buffer): { span_id: string }[] {
  const lines = body.toString().trimEnd().split("\n");
  return lines
    .filter((_, at) => at % 2 === 1)
    .map((line) => JSON.parse(line) as { span_id: string });
}
