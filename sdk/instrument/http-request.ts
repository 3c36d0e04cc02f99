// What a server knows of a request when it begins, as attributes; for HTTP/1 and HTTP/2.

import type { IncomingHttpHeaders } from "node:http";
import type { Family } from "../metrics/durations.ts";
import { Attributes, CommonFields } from "../trace/values.ts";
import { addressOf } from "./http-scope.ts";

export interface RequestHead {
  readonly method: string;
  /** As in the request line. */
  readonly target: string;
  readonly scheme: string;
  readonly version: string;
  readonly host: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly socket: Ends | undefined;
}

interface Ends {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

export function attributesOf(head: RequestHead, family: Family): Attributes {
  const { method, target, headers, socket } = head;
  const attributes = new Attributes(commonOf(family, hostOf(head)));
  const question = target.indexOf("?");
  attributes.add("url.path", pathOf(target, question));
  if (family.method !== method) attributes.add("http.request.method_original", method);
  if (question >= 0 && question + 1 < target.length) {
    // Its secrets are taken out where spans leave, whoever made them.
    attributes.add("url.query", target.slice(question + 1));
  }
  const peer = socket?.remoteAddress;
  if (peer !== undefined) {
    attributes.add("network.peer.address", peer);
    attributes.add("network.peer.port", socket?.remotePort ?? 0);
  }
  const client = clientOf(headers) ?? peer;
  if (client !== undefined) attributes.add("client.address", client);
  const agent = headers["user-agent"];
  if (agent !== undefined) attributes.add("user_agent.original", agent);
  return attributes;
}

/** What the requests of a family have in common if they are for the same host, as most servers have one name. */
const commons = new WeakMap<Family, Common>();

interface Common {
  readonly host: string | undefined;
  readonly fields: CommonFields;
}

function commonOf(family: Family, host: string | undefined): CommonFields {
  const known = commons.get(family);
  if (known !== undefined && known.host === host) return known.fields;
  const fields = new CommonFields();
  const { method, scheme, version } = family;
  fields.entries.push("http.request.method", method, "url.scheme", scheme);
  fields.entries.push("network.protocol.version", version);
  if (host !== undefined) {
    const { host: address, port } = addressOf(host);
    fields.entries.push("server.address", address);
    fields.entries.push("server.port", port ?? (scheme === "https" ? 443 : 80));
  }
  commons.set(family, { host, fields });
  return fields;
}

/** A proxy is asked for a whole URL. */
function pathOf(target: string, question: number): string {
  const path = question < 0 ? target : target.slice(0, question);
  if (path.charCodeAt(0) === 47 /* / */ || !path.includes("://")) return path;
  return URL.parse(target)?.pathname ?? path;
}

/** Behind a proxy that says so, the name that the client asked for. */
function hostOf({ headers, host }: RequestHead): string | undefined {
  const forwarded = headers.forwarded ? forwardedPart(headers.forwarded, "host") : undefined;
  const name = forwarded ?? firstOf(headers["x-forwarded-host"]) ?? host;
  return name === "" ? undefined : name;
}

function clientOf(headers: IncomingHttpHeaders): string | undefined {
  const forwarded = headers.forwarded ? forwardedPart(headers.forwarded, "for") : undefined;
  const text = forwarded ?? firstOf(headers["x-forwarded-for"]);
  return text ? addressOf(text).host : undefined;
}

/** The part of the first proxy that gives it: `for=1.2.3.4;host=shop.example, for=10.0.0.1`. */
function forwardedPart(header: string, name: "for" | "host"): string | undefined {
  const found = (name === "for" ? forwardedFor : forwardedHost).exec(header);
  return found?.[1] ?? found?.[2];
}

const forwardedFor = /(?:^|[;,\s])for=(?:"([^"]*)"|([^;,\s]*))/i;
const forwardedHost = /(?:^|[;,\s])host=(?:"([^"]*)"|([^;,\s]*))/i;

function firstOf(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  return String(header).split(",", 1)[0]?.trim();
}

/** That which the client used, if a proxy tells, or ours. */
export function schemeOf(headers: IncomingHttpHeaders, isSecure: boolean): string {
  const forwarded = firstOf(headers["x-forwarded-proto"]);
  if (forwarded === "https" || forwarded === "http") return forwarded;
  return isSecure ? "https" : "http";
}
