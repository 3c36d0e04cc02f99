// The settings of an Elasticsearch or OpenSearch output. Messages name a setting and what it may be,
// never the value: it may hold a password.

import { z } from "zod";
import { secret, signalsOf } from "../../config/fields.ts";
import { headers, problemOfUrl, problemsOfTls, refineBy, tlsFields } from "../client-settings.ts";

/** What goes into a header as it is. */
const token = z.string().regex(/^[\x21-\x7e]+$/, "must be printable ASCII without spaces");
const address = z
  .string()
  .superRefine(refineBy((text) => problemOfUrl(text, "http://localhost:9200")));
const mostNodes = 32;
const days = z.int().min(0).max(3650);

export const settings = z
  .strictObject({
    /** One, or several nodes of one cluster, which take turns. A path is kept, and so is a user. */
    url: z.union([z.array(address).min(1).max(mostNodes), address]),
    username: z.string().min(1, "must not be empty").optional(),
    password: secret(z.string()).optional(),
    /** Encoded as Elasticsearch shows it, or id:key. */
    api_key: secret(token).optional(),
    /** Sent as Bearer. */
    token: secret(token).optional(),
    headers: headers(),
    ...tlsFields,
    /** Worth it where the line is slow: compressing costs more than all else here. */
    compression: z.enum(["none", "gzip"]).default("none"),
    /** A name may have %Y %m %d %H, filled from the time of the event in UTC, and %s: logs, traces or metrics. */
    index: z.string().superRefine(refineBy(problemOfIndex)).default("data-stream"),
    /** What a document's fields are called: as in OpenTelemetry's data streams, or by Elastic's Common Schema. */
    fields: z.enum(["otel", "ecs"]).default("otel"),
    /** An event older than that when it comes goes by the time it was observed, or when it came. */
    index_days_behind: days.default(30),
    /** And so does one that is further in the future. */
    index_days_ahead: days.default(1),
    /** How long the server shall keep what comes; told to it when the template is made, not later. */
    retention: z
      .string()
      .regex(/^[1-9]\d{0,4}[dh]$/, "is not a time to keep; give days or hours, such as 30d")
      .optional(),
    /** Requests at a time; each has documents of 8 MiB at most in memory. */
    max_in_flight: z.int().min(1).max(64).default(3),
    /** For one request. */
    timeout_ms: z.int().min(100).max(600_000).default(60_000),
    /** Spans and metrics go to data streams of their own, or where %s in `index` says. */
    signals: signalsOf("logs", "traces", "metrics").default(["logs"]),
  })
  .superRefine((given, context) => {
    const [first = "", ...others] = addressesOf(given);
    const isTls = first.startsWith("https:");
    const isMixed = others.some((other) => other.startsWith("https:") !== isTls);
    const problem = isMixed
      ? { at: "url", message: "must be all http:// or all https://" }
      : (problemOfCredentials(given) ?? problemOfSignals(given));
    for (const { at, message } of [
      ...(problem ? [problem] : []),
      ...problemsOfTls(given, { isTls, schemes: "https://", where: "url" }),
    ]) {
      context.addIssue({ code: "custom", path: [at], message });
    }
  });

export type Settings = z.output<typeof settings>;

export function addressesOf({ url }: Pick<Settings, "url">): readonly string[] {
  return typeof url === "string" ? [url] : url;
}

function problemOfIndex(text: string): string | undefined {
  const unknown = text.replaceAll(/%[YmdHs]/g, "").includes("%");
  if (unknown) return "knows %Y, %m, %d, %H and %s only";
  const filled = text
    .replaceAll("%Y", "2000")
    .replaceAll(/%[mdH]/g, "00")
    .replaceAll("%s", "metrics");
  if (!/^[a-z0-9.][^A-Z\\/*?"<>| ,#:\p{Cc}]*$/u.test(filled) || /^\.\.?$/.test(filled)) {
    return 'must be data-stream or a name in lower case without any of \\ / * ? " < > | , # : and spaces';
  }
  if (Buffer.byteLength(filled) > 255) return "is too long, at most 255 bytes are allowed";
  return undefined;
}

/** Documents of several kinds in one index would contradict one another's mappings. */
function problemOfSignals({
  index,
  signals,
}: {
  readonly index: string;
  readonly signals: readonly string[];
}): { at: string; message: string } | undefined {
  if (index === "data-stream" || index.includes("%s")) return undefined;
  if (signals.length === 1 && signals[0] !== "traces") return undefined; // their events are logs
  return {
    at: "index",
    message: "must have %s, which becomes logs, traces or metrics, for more than one of them",
  };
}

interface Credentials {
  readonly url: Settings["url"];
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly api_key?: string | undefined;
  readonly token?: string | undefined;
}

function problemOfCredentials(given: Credentials): { at: string; message: string } | undefined {
  const inUrl = addressesOf(given).some((text) => {
    const url = URL.parse(text);
    return Boolean(url && (url.username || url.password));
  });
  const basic = given.username !== undefined || given.password !== undefined;
  const keys = (["api_key", "token"] as const).filter((name) => given[name] !== undefined);
  if (Number(inUrl) + Number(basic) + keys.length > 1) {
    const message =
      "give one of api_key, token, username with password, or a user in url, not several";
    return { at: keys[0] ?? "username", message };
  }
  if (basic && given.username === undefined) return { at: "username", message: "is missing" };
  if (basic && given.password === undefined) return { at: "password", message: "is missing" };
  if (given.username?.includes(":")) return { at: "username", message: "must not have a colon" };
  return undefined;
}
