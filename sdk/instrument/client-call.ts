// One attempt to get an answer from an HTTP server: its span and its duration, whoever sends it.

import type { Attributes as ApiAttributes, Context, Span } from "@opentelemetry/api";
import { clientDurations } from "../metrics/durations.ts";
import { load } from "../packages.ts";
import { contextsInUse } from "../trace/context.ts";
import { parentOf } from "../trace/span.ts";
import { Attributes, CommonFields, cut, mostCharacters } from "../trace/values.ts";
import { fail, isSuppressed, knownMethod, spanName, SpanScope } from "./http-scope.ts";
import { rememberRedirect, resendCount } from "./resends.ts";
import { spanStarter } from "./spans.ts";

export interface Target {
  readonly method: string;
  readonly host: string;
  readonly port: number | undefined;
  /** With its secrets. */
  readonly url: string;
}

interface Ends {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

export class ClientCall {
  readonly span: Span;
  /** The caller's. */
  readonly context: Context;
  readonly #target: Target;
  readonly #begunMs = performance.now();
  readonly #resends: number;
  #status: number | undefined;
  #version = "1.1";
  #isEnded = false;

  constructor(span: Span, context: Context, target: Target, resends: number) {
    this.span = span;
    this.context = context;
    this.#target = target;
    this.#resends = resends;
  }

  /** The context that goes with the request. */
  get scope(): Context {
    return new SpanScope(this.context, this.span);
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  sent(version: string, peer: Ends): void {
    this.#version = version;
    const { span } = this;
    if (!span.isRecording()) return;
    span.setAttribute("network.protocol.version", version);
    if (peer.remoteAddress === undefined) return;
    span.setAttribute("network.peer.address", peer.remoteAddress);
    if (peer.remotePort !== undefined) span.setAttribute("network.peer.port", peer.remotePort);
  }

  /** To look for the location may mean to read all headers. */
  answered(status: number, findLocation: () => unknown): void {
    this.#status = status;
    this.span.setAttribute("http.response.status_code", status);
    if (status < 300 || status >= 400) return;
    const location = findLocation();
    if (typeof location === "string") {
      rememberRedirect(this.context, URL.parse(location, this.#target.url), this.#resends + 1);
    }
  }

  /** Once. `failure` is the error's type where it is not the status that was answered. */
  end(failure?: string, error?: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const status = this.#status;
    const type = failure ?? (status !== undefined && status >= 400 ? String(status) : undefined);
    if (type !== undefined) fail(this.span, type, error);
    const nowMs = performance.now();
    const seconds = (nowMs - this.#begunMs) / 1000;
    this.#seriesOf(type).record(seconds, parentOf(this.span), nowMs);
    this.span.end();
  }

  #seriesOf(type: string | undefined) {
    const { method, host, port } = this.#target;
    const status = this.#status;
    const family = clientDurations.family(knownMethod(method), "", this.#version);
    const isStatus = type === undefined || type === String(status);
    // Below 2 ** 53, and a number for all that goes well: found without making a string.
    const key = isStatus ? (port ?? 0) * 1000 + (status ?? 0) : `${port} ${status} ${type}`;
    const found = family.find(host, key);
    if (found) return found;
    const attributes: ApiAttributes = {
      "http.request.method": family.method,
      "server.address": host,
    };
    if (port !== undefined) attributes["server.port"] = port;
    if (status !== undefined) {
      attributes["http.response.status_code"] = status;
      attributes["network.protocol.version"] = this.#version;
    }
    if (type !== undefined) attributes["error.type"] = type;
    return clientDurations.add(family, host, key, attributes);
  }
}

/** Gives what begins a call, unless what is running is not to be traced. */
export function callStarter(): (target: Target) => ClientCall | undefined {
  const { SpanKind } = load("@opentelemetry/api");
  const contexts = contextsInUse();
  const startSpan = spanStarter("sonde/http", SpanKind.CLIENT);
  return (target) => {
    const caller = contexts.active();
    if (isSuppressed(caller)) return undefined;
    const { method, host, port, url } = target;
    const known = knownMethod(method);
    const attributes = new Attributes(commonOf(known, host, port));
    attributes.add("url.full", url); // its secrets are taken out where spans leave, whoever made them
    if (known !== method) attributes.add("http.request.method_original", method);
    const resends = resendCount(caller, url);
    if (resends > 0) attributes.add("http.request.resend_count", resends);
    const span = startSpan(spanName(known), attributes, caller);
    return new ClientCall(span, caller, target, resends);
  };
}

/** What the calls of a host have in common: most apps call a few services again and again. */
const commons = new Map<string, Common[]>();
const mostHosts = 100;
const longestHost = 255;
const mostOfHost = 10;

interface Common {
  readonly method: string;
  readonly port: number | undefined;
  readonly fields: CommonFields;
}

function commonOf(method: string, host: string, port: number | undefined): CommonFields {
  const ofHost = commons.get(host);
  for (const common of ofHost ?? []) {
    if (common.method === method && common.port === port) return common.fields;
  }
  const fields = new CommonFields();
  fields.entries.push("http.request.method", method, "server.address", cut(host, mostCharacters));
  if (port !== undefined) fields.entries.push("server.port", port);
  if (ofHost === undefined) {
    if (commons.size < mostHosts && host.length <= longestHost)
      commons.set(host, [{ method, port, fields }]);
  } else if (ofHost.length < mostOfHost) ofHost.push({ method, port, fields });
  return fields;
}
