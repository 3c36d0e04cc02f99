// The web port, as far as it goes today: whether the process works, whether it takes data, how each
// part is, the collector's own metrics, and the API, which is in query/.

import type { IncomingMessage, ServerResponse } from "node:http";
import { type Gate, openAccess, unauthorized } from "./access.ts";
import { authority, listen, type Listening } from "./listen.ts";
import type { Log } from "./log/log.ts";
import { contentType } from "./telemetry/exposition.ts";
import type { Feed } from "./output/feed.ts";

export interface HealthSources {
  /** Whether requests are taken; false while starting and stopping. */
  readonly isReady: () => boolean;
  readonly receivers: () => readonly { readonly name: string; readonly url: string }[];
  readonly log: Log;
  readonly feeds: readonly Feed[];
  readonly metrics: () => string;
  /** Answers what begins with /api/. */
  readonly api: (request: IncomingMessage, response: ServerResponse) => void;
}

export interface HealthServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** An output that has failed for longer makes /health answer 503. */
const failingLimitMs = 60_000;

const serverOptions = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 1_000,
};
const maxConnections = 256;

export async function startHealth(
  sources: HealthSources,
  where: Listening,
  access: Gate = openAccess,
): Promise<HealthServer> {
  const server = access.createHttpServer(serverOptions, (request, response) => {
    response.on("error", () => {});
    const isAllowed = mayAsk(access, request);
    if (isAllowed && request.url?.startsWith("/api/")) {
      sources.api(request, response);
      return;
    }
    request.resume();
    if (isAllowed) answer(sources, request, response);
    else refuse(response);
  });
  server.maxConnections = maxConnections;
  const port = await listen(server, where);
  server.on("error", () => {}); // such as too many open files: it goes on listening
  return {
    url: `${access.isTls ? "https" : "http"}://${authority(where.host, port)}`,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Whoever asks only whether it lives, as an orchestrator does, need not have the token. */
function mayAsk(access: Gate, { url, headers }: IncomingMessage): boolean {
  const path = url?.split("?", 1)[0];
  return path === "/healthz" || path === "/readyz" || access.allows(headers.authorization);
}

function refuse(response: ServerResponse): void {
  const { status, headers, why } = unauthorized;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  send(response, { status, type: "text/plain", body: `${why}\n` });
}

function answer(sources: HealthSources, request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== "GET" && request.method !== "HEAD") {
    send(response, { status: 405, type: "text/plain", body: "GET is taken here\n" });
    return;
  }
  switch (request.url?.split("?", 1)[0]) {
    case "/healthz":
      send(response, { status: 200, type: "text/plain", body: "ok\n" });
      return;
    case "/readyz": {
      const isReady = sources.isReady();
      const body = isReady ? "ready\n" : "not ready\n";
      send(response, { status: isReady ? 200 : 503, type: "text/plain", body });
      return;
    }
    case "/health": {
      const health = healthOf(sources);
      const body = `${JSON.stringify(health, undefined, 2)}\n`;
      const status = health.status === "failing" ? 503 : 200;
      send(response, { status, type: "application/json", body });
      return;
    }
    case "/metrics": {
      send(response, { status: 200, type: contentType, body: sources.metrics() });
      return;
    }
    default: {
      const body = "here are /healthz, /readyz, /health, /metrics and /api/\n";
      send(response, { status: 404, type: "text/plain", body });
    }
  }
}

function healthOf({ receivers, log, feeds, isReady }: HealthSources) {
  const outputs = feeds.map((feed) => outputHealth(feed));
  const isFailing = outputs.some(({ status }) => status === "failing");
  return {
    status: isFailing ? "failing" : isReady() ? "ok" : "not ready",
    receivers: receivers(),
    log: { id: log.id, items: log.appended },
    outputs,
  };
}

function outputHealth({ name, failure, lastFailure, reader }: Feed) {
  const { skipped, isCatchingUp } = reader;
  const isLate = failure !== undefined && Date.now() - failure.sinceMs > failingLimitMs;
  // What it was moved past is lost to it, however well it delivers since.
  const isFailing = isLate || isCatchingUp;
  const { items, bytes, oldestAtMs } = reader.waiting;
  const oldest = oldestAtMs === undefined ? {} : { oldest_age_s: (Date.now() - oldestAtMs) / 1000 };
  return {
    name,
    status: isFailing ? "failing" : failure ? "retrying" : "ok",
    waiting: { items, bytes, ...oldest },
    ...(isCatchingUp ? { missed_because_log_full: skipped } : {}),
    ...(failure ? { failing_since: new Date(failure.sinceMs).toISOString() } : {}),
    ...(lastFailure
      ? {
          last_error: {
            at: new Date(lastFailure.atMs).toISOString(),
            reason: lastFailure.reason,
            detail: lastFailure.detail,
          },
        }
      : {}),
  };
}

function send(
  response: ServerResponse,
  { status, type, body }: { status: number; type: string; body: string },
): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "x-content-type-options": "nosniff",
  });
  response.end(response.req.method === "HEAD" ? undefined : body);
}
