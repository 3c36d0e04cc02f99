// The routes of koa's routers, which leave them in koa's context of the request.

import { exchangeOf } from "../http-exchange.ts";
import type { Exchange } from "../http-exchange.ts";

type CreateContext = (this: unknown, request: unknown, ...rest: unknown[]) => object;

interface KoaContext {
  readonly onerror?: (this: unknown, error: unknown) => void;
  readonly _matchedRoute?: unknown;
}

export function nameKoaRoutes(exports: unknown): void {
  const { prototype } = exports as { prototype?: { createContext?: CreateContext } };
  const createContext = prototype?.createContext;
  if (typeof createContext !== "function" || patched.has(prototype!)) return;
  patched.add(prototype!);
  prototype!.createContext = function (request, ...rest) {
    const context: KoaContext = createContext.call(this, request, ...rest);
    const exchange = exchangeOf(request);
    if (exchange) {
      exchange.findRoute = () => routeOf(context);
      noteErrors(context, exchange);
    }
    return context;
  };
}

/** Where koa brings what was thrown, and makes an answer of it. */
function noteErrors(context: KoaContext, exchange: Exchange): void {
  const { onerror } = context;
  if (typeof onerror !== "function") return;
  Reflect.set(context, "onerror", function (this: unknown, error: unknown): void {
    if (error instanceof Error) exchange.thrown = error;
    onerror.call(this, error);
  });
}

const patched = new WeakSet<object>();

function routeOf({ _matchedRoute: route }: KoaContext): string | undefined {
  return typeof route === "string" || route instanceof RegExp ? String(route) : undefined;
}
