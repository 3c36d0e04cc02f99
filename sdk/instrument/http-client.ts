// One span for each request of node:http and node:https, and its duration. Node tells of a request when it
// is made, before anything of it is sent; the rest of its life is heard through its own events.

import { subscribe } from "node:diagnostics_channel";
import type { ClientRequest, IncomingMessage } from "node:http";
import type { Context, TextMapSetter } from "@opentelemetry/api";
import { isOwn } from "../export/own.ts";
import { load } from "../packages.ts";
import { messageOf, tell } from "../tell.ts";
import { callStarter } from "./client-call.ts";
import type { ClientCall, Target } from "./client-call.ts";
import { hearerKey, hearEvents, replaceMethod } from "./http-events.ts";
import type { Hearer, Marked } from "./http-events.ts";
import { addressOf, errorType, isCancelled } from "./http-scope.ts";

export function traceHttpClients(): void {
  const { propagation } = load("@opentelemetry/api");
  const { ClientRequest, IncomingMessage } = process.getBuiltinModule("node:http");
  const begin = callStarter();
  subscribe("http.client.request.created", (message) => {
    try {
      const { request } = message as { request: ClientRequest & Marked & Agented };
      if (isOwn(request.agent)) return;
      const call = begin(targetOf(request));
      if (call === undefined) return;
      request[hearerKey] = new Outgoing(call, request);
      propagation.inject(call.scope, request, setter);
    } catch (error) {
      // Thrown here it would be an uncaught exception of the app.
      tell(`tracing a request failed: ${messageOf(error)}`);
    }
  });
  hearEvents(ClientRequest.prototype);
  hearEvents(IncomingMessage.prototype);
  hearDestroyed(ClientRequest.prototype);
}

interface Agented {
  readonly agent?: unknown;
  readonly socketPath?: unknown;
}

class Outgoing implements Hearer {
  readonly context: Context;
  readonly #call: ClientCall;
  readonly #request: ClientRequest;
  #response: IncomingMessage | undefined;
  #isTimedOut = false;
  #isGivenUp = false;
  #reason: unknown;

  constructor(call: ClientCall, request: ClientRequest) {
    this.context = call.context;
    this.#call = call;
    this.#request = request;
  }

  hear(event: string | symbol, source: object, detail: unknown): void {
    if (this.#call.isEnded) return;
    if (source !== this.#request) {
      // As soon as the app has the whole answer; it may end the process before 'close' comes.
      if (event === "end") this.#call.end();
      return;
    }
    switch (event) {
      case "response":
      case "upgrade":
      case "connect":
        this.#answer(detail as IncomingMessage); // what these events bring
        if (event !== "response") this.#call.end();
        break;
      case "timeout":
        this.#isTimedOut = true;
        break;
      case "error":
        this.#fail(detail);
        break;
      case "close":
        this.#close();
        break;
    }
  }

  /** The app has had enough of it, with or without an error of its own. */
  giveUp(reason: unknown): void {
    this.#isGivenUp = true;
    this.#reason = reason;
  }

  #answer(response: IncomingMessage & Marked): void {
    this.#response = response;
    response[hearerKey] = this;
    this.#call.sent(response.httpVersion, response.socket);
    this.#call.answered(response.statusCode ?? 0, () => response.headers.location);
  }

  #fail(error: unknown): void {
    if (!this.#isGivenUp) this.#endWith(error);
    // Without a reason the error is Node's "socket hang up", as if the server had done it.
    else if (this.#reason !== undefined && this.#reason !== null) this.#endWith(this.#reason);
    else if (this.#isTimedOut) this.#call.end("timeout");
    else this.#call.end();
  }

  #endWith(error: unknown): void {
    if (isCancelled(error)) this.#call.end();
    else this.#call.end(errorType(error), error);
  }

  /** Without an answer or an error it can only have been given up; half an answer has its reason. */
  #close(): void {
    const response = this.#response;
    const error: unknown = response?.complete ? undefined : response?.errored;
    if (error || (!response && this.#isGivenUp)) this.#fail(error);
    else this.#call.end();
  }
}

type Destroy = (this: ClientRequest & Marked, error?: Error) => ClientRequest;

function hearDestroyed(prototype: object): void {
  replaceMethod<Destroy>(prototype, "destroy", (original) => {
    return function destroy(error) {
      const outgoing = this[hearerKey];
      if (!this.destroyed && outgoing instanceof Outgoing) outgoing.giveUp(error);
      return original.call(this, error);
    };
  });
}

function targetOf(request: ClientRequest & Agented): Target {
  const { method, path, socketPath } = request;
  const { base, host, port } = originOf(request);
  const url = path.startsWith("/") ? base + path : path.includes("://") ? path : `${base}/${path}`;
  if (typeof socketPath === "string") return { method, host: socketPath, port: undefined, url };
  return { method, host, port, url };
}

interface Origin {
  /** As the request has them. */
  readonly protocol: string;
  readonly given: string;
  readonly base: string;
  readonly host: string;
  readonly port: number;
}

/** By the header `host`: most apps call a few services again and again. */
const origins = new Map<string, Origin>();
const mostOrigins = 100;

function originOf(request: ClientRequest): Origin {
  const { protocol, host: given } = request;
  const header = request.getHeader("host");
  const text = typeof header === "string" ? header : "";
  const known = origins.get(text);
  if (known?.given === given && known.protocol === protocol) return known;
  const name = given.includes(":") && !given.startsWith("[") ? `[${given}]` : given;
  // A request does not keep its port, but its header has it, unless the app has set another.
  const fromHeader = addressOf(text);
  const usual = protocol === "https:" ? 443 : 80;
  const port = (fromHeader.host === given ? fromHeader.port : undefined) ?? usual;
  const base = `${protocol}//${name}${port === usual ? "" : `:${port}`}`;
  const origin = { given, protocol, base, host: addressOf(name).host, port };
  if (origins.size < mostOrigins || known !== undefined) origins.set(text, origin);
  return origin;
}

const setter: TextMapSetter<ClientRequest> = {
  set(request, name, value) {
    if (!request.headersSent) request.setHeader(name, value);
    else addToHead(request as ClientRequest & Head, `${name}: ${value}\r\n`); // as Node keeps it
  },
};

/** The head of a request as it will be sent, and what waits for a socket, which may begin with it. */
interface Head {
  _header: string;
  readonly outputData: { data: unknown }[];
}

/** Headers given as an array, and Expect, make the head when the request is made, before we hear of it. */
function addToHead(request: Head, line: string): void {
  const head = request._header;
  if (typeof head !== "string" || !head.endsWith("\r\n\r\n")) return;
  const longer = `${head.slice(0, -2)}${line}\r\n`;
  const [first] = request.outputData;
  if (typeof first?.data === "string" && first.data.startsWith(head)) {
    first.data = longer + first.data.slice(head.length);
  }
  request._header = longer;
}
