// The routes of express 4 and 5, and of the router that stands alone. Only a matched route is patched, and
// mounts whose path has parameters: a middleware costs nothing.

import { exchangeOf } from "../http-exchange.ts";

interface Request {
  readonly baseUrl?: unknown;
  readonly route?: Route;
  readonly params?: Readonly<Record<string, unknown>>;
}

interface Route extends Stacked {
  readonly path?: unknown;
}

type Next = (error?: unknown, ...more: unknown[]) => unknown;
/** Response and what is called at the end, and what may come in later versions. */
type Rest = [response?: unknown, next?: unknown, ...more: unknown[]];
type Dispatch = (this: Route, request: Request, ...rest: Rest) => unknown;
type Use = (this: Stacked, ...args: unknown[]) => unknown;

interface Stacked {
  readonly stack?: readonly Layer[];
}

/** One of the two is there, in express 5 or 4. */
type Handler = "handleRequest" | "handle_request";
type Handle = (this: Layer, request: Request, ...rest: Rest) => unknown;
type Layer = Partial<Record<Handler, Handle>> & { readonly route?: Route };

/** Of express, or of the package router. */
export function nameExpressRoutes(exports: unknown): void {
  const { Route, Router = exports } = exports as {
    Route?: { prototype?: object };
    Router?: unknown;
  };
  if (Route?.prototype) patchRoute(Route.prototype);
  // Express 4 has its methods on the function itself.
  const router = Router as { use?: unknown; prototype?: object };
  const holder = typeof router.use === "function" ? router : router.prototype;
  if (holder) patchUse(holder);
}

const patched = new WeakSet<object>();

/** While the route is running the mounts are known that led to it; at the end they may be forgotten. */
function patchRoute(prototype: { dispatch?: Dispatch }): void {
  const { dispatch } = prototype;
  if (typeof dispatch !== "function" || patched.has(prototype)) return;
  patched.add(prototype);
  prototype.dispatch = function (request, ...rest) {
    noteRoute(request, this);
    rest[1] = notingErrors(request, rest[1]);
    return dispatch.call(this, request, ...rest);
  };
}

function noteRoute(request: Request, { path }: Route): void {
  try {
    const exchange = exchangeOf(request);
    if (exchange) exchange.route = joined(mountOf(request), textOf(path));
  } catch {
    // A path that cannot be read is the app's affair.
  }
}

/** What is called at a route's end: with what was thrown, or with "route" or "router" to go on elsewhere. */
function notingErrors(request: Request, next: unknown): unknown {
  if (typeof next !== "function") return next;
  return (error?: unknown, ...rest: unknown[]): unknown => {
    if (error instanceof Error) noteError(request, error);
    return (next as Next)(error, ...rest);
  };
}

function noteError(request: Request, error: Error): void {
  const exchange = exchangeOf(request);
  if (exchange) exchange.thrown = error;
}

/** Which base URLs stand for which paths, where a mount has parameters. */
const mounts = new WeakMap<object, Map<string, string>>();
/** Not in a bundle, where the mounts have been made before the first request shows us where to look. */
let areMountsKnown = false;

function patchUse(holder: { use?: Use }): void {
  const { use } = holder;
  if (typeof use !== "function" || patched.has(holder)) return;
  patched.add(holder);
  areMountsKnown = true;
  holder.use = function (...args) {
    const before = this.stack?.length ?? 0;
    const result = use.apply(this, args);
    try {
      const path = typeof args[0] === "function" ? "" : textOf(args[0]);
      if (/[:*(\\]/.test(path)) {
        for (const layer of this.stack?.slice(before) ?? []) rememberMount(layer, path);
      }
    } catch {
      // As without us: the base URL itself.
    }
    return result;
  };
}

function rememberMount(layer: Layer, path: string): void {
  const name: Handler = layer.handleRequest ? "handleRequest" : "handle_request";
  const original = layer[name];
  if (!original) return;
  layer[name] = function (this: Layer, request, ...rest) {
    const url = String(request.baseUrl);
    const depth = path.split("/").length - 1;
    const parent = url.split("/").slice(0, -depth).join("/");
    let ofRequest = mounts.get(request);
    if (!ofRequest) mounts.set(request, (ofRequest = new Map()));
    ofRequest.set(url, patternOf(parent, ofRequest) + path);
    return original.call(this, request, ...rest);
  };
}

function mountOf(request: Request): string {
  const url = typeof request.baseUrl === "string" ? request.baseUrl : "";
  if (url === "") return url;
  return areMountsKnown ? patternOf(url, mounts.get(request)) : withoutValues(url, request.params);
}

/** The URL with the longest mount that it begins with replaced by its path. */
function patternOf(url: string, ofRequest: ReadonlyMap<string, string> | undefined): string {
  let pattern = url;
  let longest = 0;
  for (const [mount, path] of ofRequest ?? []) {
    if (mount.length <= longest || !`${url}/`.startsWith(`${mount}/`)) continue;
    pattern = path + url.slice(mount.length);
    longest = mount.length;
  }
  return pattern;
}

/**
 * In a bundle nobody sees express being loaded. It shows itself as it gives the first request its route, right before
 * it runs that. Until then all requests have a setter for it, which no other property is the slower for.
 */
export function watchFirstRoute(): void {
  const { prototype } = process.getBuiltinModule("node:http").IncomingMessage;
  if ("route" in prototype) return;
  Object.defineProperty(prototype, "route", {
    configurable: true,
    get: () => undefined,
    set(this: object, value: unknown) {
      const shown = { value, writable: true, enumerable: true, configurable: true };
      Reflect.defineProperty(this, "route", shown);
      try {
        if (isRoute(value) && patchFrom(value)) Reflect.deleteProperty(prototype, "route");
      } catch {
        // Not one of express, which would be the app's affair.
      }
    },
  });
}

/** Where nobody has seen express before a route was taken, that is still to be found at the end. */
export function expressRouteOf(request: object): string | undefined {
  const { route } = request as Request;
  if (!isRoute(route)) return undefined;
  patchFrom(route); // for the requests to come
  return joined(mountOf(request), textOf(route.path));
}

function isRoute(value: unknown): value is Route {
  return typeof value === "object" && value !== null && "path" in value;
}

/** Whether it was a route of express. */
function patchFrom(route: Route): boolean {
  const prototype = Object.getPrototypeOf(route) as { dispatch?: Dispatch } | null;
  if (prototype === null) return false;
  patchRoute(prototype);
  const [layer] = route.stack ?? [];
  if (layer?.handle_request) patchLayers(Object.getPrototypeOf(layer) as Layer);
  return patched.has(prototype);
}

/** The routes of express 4 have been given their `dispatch` by then; what calls them has not. */
function patchLayers(prototype: Layer): void {
  const { handle_request: handle } = prototype;
  if (!handle || patched.has(prototype)) return;
  patched.add(prototype);
  prototype.handle_request = function (request, ...rest) {
    if (this.route) {
      noteRoute(request, this.route);
      rest[1] = notingErrors(request, rest[1]);
    }
    return handle.call(this, request, ...rest);
  };
}

/** A mount with parameters shows their values, of which there are too many for a route. */
function withoutValues(mount: string, params: Request["params"] = {}): string {
  const names = new Map(Object.entries(params).map(([name, value]) => [value, `:${name}`]));
  return mount
    .split("/")
    .map((part) => names.get(part) ?? part)
    .join("/");
}

function joined(mount: string, path: string): string {
  return mount !== "" && path === "/" ? mount : mount + path;
}

function textOf(path: unknown): string {
  return Array.isArray(path) ? path.map(textOf).join(",") : String(path);
}
