// The routes of express 4 and 5, and of the router that stands alone. Only a matched route is patched, and
// mounts whose path has parameters: a middleware costs nothing.

import { exchangeOf } from "../http-exchange.ts";

interface Request {
  readonly baseUrl?: unknown;
  readonly route?: Route;
  readonly params?: Readonly<Record<string, unknown>>;
}

interface Route {
  readonly path?: unknown;
}

type Dispatch = (this: Route, request: Request, ...rest: unknown[]) => unknown;
type Use = (this: Stacked, ...args: unknown[]) => unknown;

interface Stacked {
  readonly stack?: Layer[];
}

/** One of the two is there, in express 5 or 4. */
type Handler = "handleRequest" | "handle_request";
type Layer = Partial<Record<Handler, (request: Request, ...rest: unknown[]) => unknown>>;

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
    try {
      const exchange = exchangeOf(request);
      if (exchange) exchange.route = joined(mountOf(request), textOf(this.path));
    } catch {
      // A path that cannot be read is the app's affair.
    }
    return dispatch.call(this, request, ...rest);
  };
}

/** Which base URLs stand for which paths, where a mount has parameters. */
const mounts = new WeakMap<object, Map<string, string>>();

function patchUse(holder: { use?: Use }): void {
  const { use } = holder;
  if (typeof use !== "function" || patched.has(holder)) return;
  patched.add(holder);
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
  return patternOf(url, mounts.get(request));
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

/** In a bundle nobody sees express being loaded; a route that was taken is still to be found at the end. */
export function expressRouteOf(request: object): string | undefined {
  const { route, baseUrl, params } = request as Request;
  if (typeof route !== "object" || route.path === undefined) return undefined;
  const prototype = Object.getPrototypeOf(route) as object | null;
  if (prototype) patchRoute(prototype); // for the requests to come
  const mount = typeof baseUrl === "string" ? withoutValues(baseUrl, params ?? {}) : "";
  return joined(mount, textOf(route.path));
}

/** A mount with parameters shows their values, of which there are too many for a route. */
function withoutValues(mount: string, params: Readonly<Record<string, unknown>>): string {
  if (mount === "") return mount;
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
