// Where an OTLP output sends to, and how.

import { z } from "zod";
import { secret, signals } from "../../config/fields.ts";

const headerName = z
  .string()
  .regex(/^[\w!#$%&'*+.^`|~-]+$/, "is not the name of a header; it has no spaces or colons");
const headerValue = z
  .string()
  .regex(/^[\t\x20-\x7e\x80-\xff]*$/, "is not the value of a header; it has no line breaks");

export const settings = z.object({
  endpoint: z.string().superRefine((given, context) => {
    const mistake = endpointMistake(given);
    if (mistake) context.addIssue({ code: "custom", message: mistake });
  }),
  headers: secret(z.record(headerName, headerValue)).default({}),
  compression: z.enum(["none", "gzip"]).default("gzip"),
  timeout_ms: z.int().min(1).max(600_000).default(10_000),
  signals: signals().default(["traces", "metrics", "logs"]),
});

/** Jaeger takes OTLP, but spans only. */
export const jaegerSettings = settings.extend({ signals: signals().default(["traces"]) });

function endpointMistake(endpoint: string): string | undefined {
  const url = URL.parse(endpoint);
  if (!url || !/^(http|grpc)s?:\/\/[^/]/i.test(endpoint) || url.hostname === "") {
    return "is not an OTLP address; give one such as http://localhost:4318 or grpc://localhost:4317";
  }
  const isGrpc = url.protocol.startsWith("grpc");
  if (isGrpc && (!["", "/"].includes(url.pathname) || url.search !== "")) {
    return "has a path; a gRPC address ends with the port";
  }
  if (url.hash !== "") return "has a part after #, which is never sent; leave it out";
  return undefined;
}
