// What can be set of an output to an OTLP server.

import { z } from "zod";
import { secret, signals } from "../../config/fields.ts";

// What HTTP and gRPC both carry: gRPC takes names that end in -bin for binary.
const headerName = z
  .string()
  .regex(/^[\w.-]+(?<!-bin)$/, "is not the name of a header; use letters, digits, _ . and -");
const headerValue = z
  .string()
  .regex(/^[\x20-\x7e]*$/, "is not the value of a header; use printable ASCII");

const notHeaders =
  "is not a list of headers; give name: value, or in a variable name=value,name2=value2";

export const settings = z.strictObject({
  /** http(s):// is OTLP/HTTP, to which /v1/traces and so on are added; grpc(s):// is OTLP/gRPC. */
  endpoint: z.string().superRefine((given, context) => {
    const problem = problemOfEndpoint(given);
    if (problem) context.addIssue({ code: "custom", message: problem });
  }),
  headers: secret(
    z.record(headerName, headerValue, {
      error: ({ code }) => (code === "invalid_type" ? notHeaders : undefined),
    }),
  ).default({}),
  compression: z.enum(["none", "gzip"]).default("none"),
  /** For one request. */
  timeout_ms: z.int().min(1).max(600_000).default(10_000),
  signals: signals().default(["traces", "metrics", "logs"]),
});

export type OtlpSettings = z.output<typeof settings>;

/** Jaeger takes OTLP, but spans only. */
export const jaegerSettings = settings.extend({ signals: signals().default(["traces"]) });

function problemOfEndpoint(endpoint: string): string | undefined {
  const url = URL.parse(endpoint);
  if (!url || url.hostname === "" || !/^(http|grpc)s?:\/\/[^/\s]\S*$/.test(endpoint)) {
    return "is not an OTLP address; give one such as http://localhost:4318 or grpc://localhost:4317";
  }
  if (/[?#]/.test(endpoint)) return "has a ? or #; an OTLP address ends with the path";
  if (url.protocol.startsWith("http")) {
    const isWhole = /\/v1\/(traces|metrics|logs)\/*$/.test(url.pathname);
    return isWhole ? "must end before /v1/…, which is added for each signal" : undefined;
  }
  if (url.port === "") return "must have a port, for gRPC usually :4317";
  if (!["", "/"].includes(url.pathname)) return "must end with the port: gRPC has no path";
  if (url.username || url.password) return "must not have a user: gRPC takes it as a header";
  return undefined;
}
