// Fastify tells of each handled request itself; all that is missing on the server span is the route.

import { subscribe } from "node:diagnostics_channel";
import { exchangeOf } from "../http-exchange.ts";
import { metadataOf } from "../http-scope.ts";
import { load } from "../../packages.ts";

interface Handling {
  readonly request?: { readonly raw?: unknown };
  readonly route?: { readonly url?: unknown };
  readonly error?: unknown;
}

export function nameFastifyRoutes(): void {
  const { context } = load("@opentelemetry/api");
  subscribe("tracing:fastify.request.handler:start", (message) => {
    try {
      const { request, route } = message as Handling;
      // On the reference engine the span is another's, known by its context.
      const metadata = exchangeOf(request?.raw) ?? metadataOf(context.active());
      if (metadata && typeof route?.url === "string") metadata.route = route.url;
    } catch {
      // A subscriber that throws would be an uncaught exception of the app.
    }
  });
  subscribe("tracing:fastify.request.handler:error", (message) => {
    try {
      const { request, error } = message as Handling;
      const exchange = exchangeOf(request?.raw);
      if (exchange) exchange.thrown = error;
    } catch {
      // As above.
    }
  });
}
