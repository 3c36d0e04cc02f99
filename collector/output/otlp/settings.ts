// What can be set of an output to an OTLP server.

import { z } from "zod";
import { bytes, signals } from "../../config/fields.ts";
import { headers, problemOfUser, problemsOfTls, refineBy, tlsFields } from "../client-settings.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

const fields = z.strictObject({
  /** http(s):// is OTLP/HTTP, to which /v1/traces and so on are added; grpc(s):// is OTLP/gRPC. */
  endpoint: z.string().superRefine(refineBy(problemOfEndpoint)),
  headers: headers(),
  compression: z.enum(["none", "gzip", "zstd"]).default("none"),
  ...tlsFields,
  /** For one request. */
  timeout_ms: z.int().min(1).max(600_000).default(10_000),
  /** Requests that may be on their way at a time; with 1 they arrive in order. */
  max_in_flight: z.int().min(1).max(64).default(4),
  /**
   * Before compression. Batches are merged up to it, and split above it. gRPC servers take 4 MiB unless
   * told otherwise; larger requests than the default cost memory and save nothing.
   */
  max_request_bytes: bytes({ min: 64 * KiB, max: 64 * MiB }).default(2 * MiB),
  max_request_items: z.int().min(1).max(1_000_000).default(10_000),
  signals: signals().default(["traces", "metrics", "logs"]),
});

type Fields = z.output<typeof fields>;
type Check = (settings: Fields, context: z.core.$RefinementCtx) => void;

export const settings = fields.superRefine(compare());

/** Jaeger takes OTLP, but spans only. */
export const jaegerSettings = fields
  .extend({ signals: signals().default(["traces"]) })
  .superRefine(compare());

export type OtlpSettings = Fields;

function problemOfEndpoint(endpoint: string): string | undefined {
  const url = URL.parse(endpoint);
  if (!url || url.hostname === "" || !/^(http|grpc)s?:\/\/[^/\s]\S*$/.test(endpoint)) {
    return "is not an OTLP address; give one such as http://localhost:4318 or grpc://localhost:4317";
  }
  if (/[?#]/.test(endpoint)) return "has a ? or #; an OTLP address ends with the path";
  if (url.protocol.startsWith("http")) {
    const isWhole = /\/v1\/(traces|metrics|logs)\/*$/.test(url.pathname);
    return isWhole ? "must end before /v1/…, which is added for each signal" : problemOfUser(url);
  }
  if (url.port === "") return "must have a port, for gRPC usually :4317";
  if (!["", "/"].includes(url.pathname)) return "must end with the port: gRPC has no path";
  if (url.username || url.password) return "must not have a user: gRPC takes it as a header";
  return undefined;
}

/** What only shows when settings are seen together. */
function compare(): Check {
  return (given, context) => {
    const { endpoint, compression } = given;
    const problem = (name: keyof Fields, message: string): void =>
      context.addIssue({ code: "custom", path: [name], message });
    if (compression === "zstd" && endpoint.startsWith("grpc")) {
      problem("compression", "is for http:// and https://; over gRPC give gzip");
    }
    const isTls = /^(http|grpc)s:/.test(endpoint);
    const address = { isTls, schemes: "https:// and grpcs://", where: "endpoint" };
    for (const { at, message } of problemsOfTls(given, address)) problem(at, message);
  };
}
