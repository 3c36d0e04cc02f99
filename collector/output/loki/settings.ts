// What can be set of an output to Loki. Messages name a setting and what it may be, never the value: it may
// hold a password.

import { z } from "zod";
import { bytes, signalsOf } from "../../config/fields.ts";
import { headers, problemOfUrl, problemsOfTls, refineBy, tlsFields } from "../client-settings.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Those that Loki itself makes labels of where OTLP comes in, as far as a stream may have them. */
const usualLabels = [
  "service.name",
  "service.namespace",
  "deployment.environment.name",
  "deployment.environment",
  "cloud.region",
  "cloud.availability_zone",
  "k8s.cluster.name",
  "k8s.namespace.name",
  "k8s.deployment.name",
  "k8s.statefulset.name",
  "k8s.daemonset.name",
  "k8s.cronjob.name",
  "k8s.job.name",
  "k8s.container.name",
  "container.name",
];
/** Loki's own limit; more makes many small streams, which it is bad at. */
export const mostLabels = 15;
/** Each value of these would be a stream of its own. */
const isPerRecord = /(^|[._])(trace|span|request|session|user|message)[._]?id$/i;

const label = z
  .string()
  .regex(/^[a-z_][\w.-]{0,254}$/i, "is not the name of a resource attribute")
  .refine((name) => !isPerRecord.test(name), {
    error: "would make a stream of each value; it is found as structured metadata",
  });

export const settings = z
  .strictObject({
    /** What comes before /otlp or /loki. */
    url: z.string().superRefine(refineBy(problemOfAddress)),
    /** `push` is what Loki had before it took OTLP, and older ones have; which labels there are is then ours to say. */
    protocol: z.enum(["otlp", "push"]).default("otlp"),
    /** Of several in one Loki; sent as X-Scope-OrgID. */
    tenant: z
      .string()
      .regex(
        /^(?!\.{1,2}$)[\w!.*'()-]{1,150}$/,
        "is not a tenant; use letters, digits and !-_.*'()",
      )
      .optional(),
    headers: headers(),
    /** Of OTLP; what is pushed is always compressed. */
    compression: z.enum(["none", "gzip"]).default("none"),
    /** Of what is pushed: the resource attributes that tell streams apart. All others are structured metadata. */
    labels: z.array(label).min(1).max(mostLabels).default(usualLabels),
    ...tlsFields,
    /** For one request. */
    timeout_ms: z.int().min(1).max(600_000).default(10_000),
    /** Requests that may be on their way at a time; with more than 1 they need not arrive in order. */
    max_in_flight: z.int().min(1).max(64).default(1),
    /** Before compression. Above 4 MiB a usual Loki takes none. */
    max_request_bytes: bytes({ min: 64 * KiB, max: 64 * MiB }).default(MiB),
    max_request_items: z.int().min(1).max(1_000_000).default(10_000),
    signals: signalsOf("logs").default(["logs"]),
  })
  .superRefine((given, context) => {
    const isTls = given.url.startsWith("https:");
    const address = { isTls, schemes: "https://", where: "url" };
    for (const { at, message } of problemsOfTls(given, address)) {
      context.addIssue({ code: "custom", path: [at], message });
    }
  });

export type Settings = z.output<typeof settings>;

function problemOfAddress(text: string): string | undefined {
  const isWhole = /\/(otlp|loki)(\/|$)/.test(URL.parse(text)?.pathname ?? "");
  return (
    problemOfUrl(text, "http://localhost:3100") ??
    (isWhole ? "must end before /otlp or /loki" : undefined)
  );
}
