// What can be set of an output that writes to Prometheus or what stores its series. Messages name a setting
// and what it may be, never the value: it may hold a password.

import { z } from "zod";
import { bytes } from "../../config/fields.ts";
import {
  headers,
  problemOfWholeUrl,
  problemsOfTls,
  refineBy,
  tlsFields,
} from "../client-settings.ts";
import { settings as scraped } from "./settings.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

const { shape } = scraped;

export const remoteWriteSettings = z
  .strictObject({
    /** All of it, and what stands behind a ? belongs to it. */
    url: z
      .string()
      .superRefine(
        refineBy((text) => problemOfWholeUrl(text, "http://localhost:9090/api/v1/write")),
      ),
    /** 2.0 has units, help and when a counter began; a server before it would lose all of it, so it must be known. */
    version: z.enum(["1.0", "2.0"]).default("1.0"),
    /** Exponential histograms go as they are. A server that knows none would lose them without a word. */
    native_histograms: z.boolean().default(false),
    headers: headers(),
    ...tlsFields,
    /** For one request. */
    timeout_ms: z.int().min(1).max(600_000).default(10_000),
    /** Before compression. */
    max_request_bytes: bytes({ min: 64 * KiB, max: 64 * MiB }).default(2 * MiB),
    translation_strategy: shape.translation_strategy,
    promote_resource_attributes: shape.promote_resource_attributes,
    scope_labels: shape.scope_labels,
    /** A sum of differences that nothing came for in this time begins anew. */
    metric_expiration: shape.metric_expiration,
    max_series: shape.max_series,
    max_series_per_metric: shape.max_series_per_metric,
    max_bytes: shape.max_bytes,
  })
  .superRefine((given, context) => {
    const isTls = given.url.startsWith("https:");
    const address = { isTls, schemes: "https://", where: "url" };
    for (const { at, message } of problemsOfTls(given, address)) {
      context.addIssue({ code: "custom", path: [at], message });
    }
  });

export type RemoteWriteSettings = z.output<typeof remoteWriteSettings>;
