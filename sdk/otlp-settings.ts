// Where the telemetry of a signal goes over OTLP, and the mistakes that are made there most: the port of
// the other protocol, a missing scheme, a path given twice.

import type { Environment } from "./environment.ts";
import { headersOf, quoted } from "./values.ts";
import { compressions, longestMs, protocols } from "./variables.ts";

export interface OtlpSettings {
  readonly protocol: (typeof protocols)[number];
  /** What is posted to; of gRPC only the scheme, http or https, and the host. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: (typeof compressions)[number];
  /** One attempt; 2^31 - 1 where the user wants no limit. */
  readonly timeoutMs: number;
  /** PEM, as node:https takes it. */
  readonly tls: Readonly<Partial<Record<"ca" | "cert" | "key", string | undefined>>>;
}

export type SignalName = "traces" | "metrics" | "logs";

export function readOtlp(read: Environment, signal: SignalName, isUsed: boolean): OtlpSettings {
  const names = (what: string): readonly string[] => [
    `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_${what}`,
    `OTEL_EXPORTER_OTLP_${what}`,
  ];
  // Doubts about what is not used would be noise; what is impossible is told in any case.
  const complain = (complaint: string): void => {
    if (isUsed) read.complain(complaint);
  };
  const headers = names("HEADERS").toReversed();
  const pairs = headers.map((name) =>
    headersOf(read.pairs(name), (what) => complain(`${name}: ${what}`)),
  );
  return {
    ...readEndpoint(read, signal, complain),
    headers: { ...pairs[0], ...pairs[1] },
    compression: read.choice(names("COMPRESSION"), compressions) ?? "none",
    timeoutMs: unlessNone(read.number(read.first(names("TIMEOUT")) ?? "", 10_000)),
    tls: readTls(read, names, complain),
  };
}

/** 0 is none. */
export function unlessNone(timeoutMs: number): number {
  return timeoutMs === 0 ? longestMs : timeoutMs;
}

type Endpoint = Pick<OtlpSettings, "protocol" | "url">;

function readEndpoint(
  read: Environment,
  signal: SignalName,
  complain: (complaint: string) => void,
): Endpoint {
  const own = `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}`;
  const name = read.first([`${own}_ENDPOINT`, "OTEL_EXPORTER_OTLP_ENDPOINT"]);
  const text = read.text(name ?? "");
  const asked = read.choice([`${own}_PROTOCOL`, "OTEL_EXPORTER_OTLP_PROTOCOL"], protocols);
  // Our collector's ready line tells its gRPC address as grpc://; nobody else would mean anything by it.
  const isGrpcUrl = /^grpcs?:\/\//i.test(text ?? "");
  const protocol = isGrpcUrl ? "grpc" : (asked ?? "http/protobuf");
  if (isGrpcUrl && asked !== undefined && asked !== "grpc") {
    complain(`${name}: ${quoted(text ?? "")} speaks grpc, not ${asked}; grpc it is`);
  }
  const isGrpc = protocol === "grpc";
  const otherwise = isGrpc ? "http://localhost:4317" : `http://localhost:4318/v1/${signal}`;
  if (name === undefined || text === undefined) return { protocol, url: otherwise };
  const isInsecure = read.isTrue([`${own}_INSECURE`, "OTEL_EXPORTER_OTLP_INSECURE"]);
  const url = isGrpc ? grpcUrl(text, isInsecure) : httpUrl(text);
  if (url === undefined) {
    const example = isGrpc ? "http://localhost:4317" : "http://localhost:4318";
    read.complain(`${name}: ${quoted(text)} is not a URL such as ${example}, ignored`);
    return { protocol, url: otherwise };
  }
  const isBase = name === "OTEL_EXPORTER_OTLP_ENDPOINT";
  const doubt = doubtAbout(url, { protocol, signal, isBase });
  if (doubt !== undefined) complain(`${name}: ${doubt}`);
  if (isGrpc) return { protocol, url: url.origin };
  return { protocol, url: isBase ? under(url, `v1/${signal}`) : url.href };
}

export function httpUrl(text: string): URL | undefined {
  return /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
}

/** Without a scheme it is TLS, unless it is said to be insecure. */
export function grpcUrl(text: string, isInsecure: boolean): URL | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  const rest = scheme === undefined ? text : text.slice(scheme.length + 3);
  const isPlain = scheme === undefined ? isInsecure : ["http", "grpc"].includes(scheme);
  if (!isPlain && scheme !== undefined && !["https", "grpcs"].includes(scheme)) return undefined;
  return httpUrl(`${isPlain ? "http" : "https"}://${rest}`);
}

/** What is right by its form and most likely not meant. */
function doubtAbout(
  url: URL,
  {
    protocol,
    signal,
    isBase,
  }: Pick<OtlpSettings, "protocol"> & { signal: string; isBase: boolean },
): string | undefined {
  if (protocol === "grpc") {
    if (url.port !== "4318") return undefined;
    return (
      "4318 is the port of http/protobuf, but the protocol is grpc; " +
      "use port 4317 or set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
    );
  }
  if (url.port === "4317") {
    return (
      `4317 is the port of grpc, but the protocol is ${protocol}; ` +
      "use port 4318 or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc"
    );
  }
  const [, given] = /\/v1\/(traces|metrics|logs)\/*$/.exec(url.pathname) ?? [];
  if (isBase && given !== undefined) {
    return (
      `v1/${signal} is added to it, so leave out /v1/${given}, ` +
      `or set OTEL_EXPORTER_OTLP_${given.toUpperCase()}_ENDPOINT instead`
    );
  }
  if (isBase || url.pathname !== "/") return undefined;
  return `is used as it is, without a path; most collectors take ${signal} at /v1/${signal}`;
}

function under(base: URL, path: string): string {
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/+$/, "")}/${path}`;
  return url.href;
}

function readTls(
  read: Environment,
  names: (what: string) => readonly string[],
  complain: (complaint: string) => void,
): OtlpSettings["tls"] {
  const pem = (what: string): string | undefined => {
    const text = read.file(names(what));
    if (text === undefined || text.includes("-----BEGIN ")) return text;
    complain(`${read.first(names(what))}: the file is not PEM, ignored`);
    return undefined;
  };
  const tls = { ca: pem("CERTIFICATE"), cert: pem("CLIENT_CERTIFICATE"), key: pem("CLIENT_KEY") };
  if ((tls.cert === undefined) === (tls.key === undefined)) return tls;
  const [has, lacks] = tls.cert
    ? ["CLIENT_CERTIFICATE", "CLIENT_KEY"]
    : ["CLIENT_KEY", "CLIENT_CERTIFICATE"];
  complain(`${read.first(names(has))}: is of no use without a ${names(lacks)[1]}, ignored`);
  return { ca: tls.ca };
}
