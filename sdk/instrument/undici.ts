// One span for each request of fetch and of undici, and its duration, by the channels that undici tells on:
// that which is built into Node and every copy of the package tell on the same.

import { subscribe } from "node:diagnostics_channel";
import type { TextMapSetter } from "@opentelemetry/api";
import { load } from "../packages.ts";
import { messageOf, tell } from "../tell.ts";
import { callStarter } from "./client-call.ts";
import type { ClientCall, Target } from "./client-call.ts";
import { addressOf, errorType, isCancelled, isSuppressed } from "./http-scope.ts";

const callKey = Symbol("sonde.call");

/** What its channels tell of a request; the headers are a list or, in older copies, a text. */
interface UndiciRequest {
  [callKey]?: ClientCall;
  readonly method: string;
  readonly origin: string | URL;
  readonly path: string;
  readonly upgrade?: unknown;
  readonly completed?: boolean;
  headers: string | unknown[];
  addHeader?(name: string, value: string): unknown;
}

interface Message {
  readonly request: UndiciRequest;
  readonly socket?: Socket;
  readonly response?: { readonly statusCode: number; readonly headers: readonly Uint8Array[] };
  readonly error?: unknown;
}

interface Socket {
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly alpnProtocol?: unknown;
}

export function traceUndici(): void {
  const { context, propagation } = load("@opentelemetry/api");
  const begin = callStarter();
  watch("undici:request:create", ({ request }) => {
    if (request.method === "CONNECT") return; // of a proxy, once for many requests
    if (request.upgrade) {
      // Nothing tells that it was answered; the server's span is its only one.
      if (!isSuppressed(context.active())) propagation.inject(context.active(), request, setter);
      return;
    }
    const call = begin(targetOf(request));
    if (call === undefined) return;
    request[callKey] = call;
    propagation.inject(call.scope, request, setter);
  });
  watch("undici:client:sendHeaders", ({ request, socket }) => {
    const isHttp2 = socket?.alpnProtocol === "h2";
    request[callKey]?.sent(isHttp2 ? "2" : "1.1", socket ?? {});
  });
  watch("undici:request:headers", ({ request, response }) => {
    if (!response) return;
    request[callKey]?.answered(response.statusCode, () => locationOf(response.headers));
  });
  watch("undici:request:trailers", ({ request }) => request[callKey]?.end());
  watch("undici:request:error", ({ request, error }) => {
    if (isCancelled(error)) request[callKey]?.end();
    else request[callKey]?.end(errorType(error), error);
  });
}

/** A subscriber that throws would be an uncaught exception of the app. */
function watch(channel: string, handle: (message: Message) => void): void {
  subscribe(channel, (message) => {
    try {
      handle(message as Message); // what undici's documentation says of its channels
    } catch (error) {
      tell(`tracing ${channel} failed: ${messageOf(error)}`);
    }
  });
}

function targetOf({ method, origin, path }: UndiciRequest): Target {
  const url = URL.parse(path, String(origin));
  const { hostname = "", port = "", protocol = "" } = url ?? {};
  return {
    method: method.toUpperCase(),
    host: addressOf(hostname).host,
    port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
    url: url?.href ?? `${String(origin)}${path}`,
  };
}

function locationOf(headers: readonly Uint8Array[]): string | undefined {
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index]!;
    if (name.length !== 8 || String(name).toLowerCase() !== "location") continue;
    return String(headers[index + 1]);
  }
  return undefined;
}

const setter: TextMapSetter<UndiciRequest> = {
  set(request, name, value) {
    if (typeof request.addHeader === "function") request.addHeader(name, value);
    else if (typeof request.headers === "string") request.headers += `${name}: ${value}\r\n`;
    else if (Array.isArray(request.headers)) request.headers.push(name, value);
  },
};
