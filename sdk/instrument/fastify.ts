// Fastify tells of each handled request itself; all that is missing on the server span is the route.

import { subscribe } from "node:diagnostics_channel";
import { load } from "../packages.ts";

interface Handling {
  readonly route?: { readonly url?: unknown };
}

export function nameFastifyRoutes(): void {
  const { context } = load("@opentelemetry/api");
  const { getRPCMetadata, RPCType } = load("@opentelemetry/core");
  subscribe("tracing:fastify.request.handler:start", (message) => {
    const url = (message as Handling).route?.url;
    const metadata = getRPCMetadata(context.active());
    if (typeof url === "string" && metadata?.type === RPCType.HTTP) metadata.route = url;
  });
}
