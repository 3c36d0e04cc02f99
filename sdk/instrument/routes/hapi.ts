// The routes of hapi, by its own means: each server that is made gets one extension.

import { exchangeOf } from "../http-exchange.ts";

interface HapiRequest {
  readonly raw?: { readonly req?: unknown };
  /** An error that was thrown, or the answer. */
  readonly response?: unknown;
  readonly route?: { readonly method?: unknown; readonly path?: unknown };
}

interface HapiServer {
  ext?(event: string, method: (request: HapiRequest, toolkit: Toolkit) => unknown): void;
}

interface Toolkit {
  readonly continue: symbol;
}

export function nameHapiRoutes(exports: unknown): void {
  const made = exports as Record<string, unknown>;
  for (const name of ["server", "Server"]) {
    const make = made[name];
    if (typeof make !== "function" || patched.has(make)) continue;
    const wrapped = new Proxy(make, {
      apply: (target, self, args) => extended(Reflect.apply(target, self, args)),
      construct: (target, args, newTarget) =>
        extended(Reflect.construct(target, args, newTarget) as object), // what `new` gives
    });
    patched.add(wrapped);
    made[name] = wrapped;
  }
}

const patched = new WeakSet<object>();

function extended<Server>(server: Server): Server {
  try {
    (server as HapiServer).ext?.("onRequest", (request, toolkit) => {
      const exchange = exchangeOf(request.raw?.req);
      if (exchange) exchange.findRoute = () => routeOf(request);
      return toolkit.continue;
    });
    (server as HapiServer).ext?.("onPreResponse", ({ raw, response }, toolkit) => {
      const exchange = exchangeOf(raw?.req);
      if (exchange && response instanceof Error) exchange.thrown = response;
      return toolkit.continue;
    });
  } catch {
    // A server without extensions has no routes either.
  }
  return server;
}

/** Those of methods beginning with _ are hapi's own, as for what is not found. */
function routeOf({ route }: HapiRequest): string | undefined {
  const { method, path } = route ?? {};
  if (typeof path !== "string" || String(method).startsWith("_")) return undefined;
  return path;
}
