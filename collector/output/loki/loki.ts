// The output to Loki, by OTLP, which is sent as it came in, or by Loki's own push API.
//
// Loki says 400 where it has refused some of the entries and stored the others: too old, too long, out of
// order. To send these again would never help, so they are dead letters, and nothing is taken apart.

import { Memory } from "../../memory/memory.ts";
import { Scratch } from "../../memory/scratch.ts";
import { type Answer, HttpClient } from "../http-client.ts";
import { messageOf, outcomeOfRefusal, reject, retry } from "../http-outcome.ts";
import { bodyOf } from "../otlp-body.ts";
import type { Delivery, Outcome, Output, OutputContext } from "../output.ts";
import { tlsFilesOf } from "../tls-files.ts";
import { pushBody } from "./push.ts";
import type { Settings } from "./settings.ts";

const longestAnswerBytes = 64 << 10;

export async function open(settings: Settings, context: OutputContext): Promise<Output> {
  const { protocol, max_in_flight: maxInFlight } = settings;
  const { memory = new Memory() } = context;
  const client = new HttpClient({
    isTls: settings.url.startsWith("https:"),
    maxConnections: maxInFlight,
    timeoutMs: settings.timeout_ms,
    longestAnswerBytes,
    tls: tlsFilesOf(settings, context),
  });
  const url = urlOf(settings);
  const headers = headersOf(settings);
  return {
    wants: ["logs"],
    maxItems: settings.max_request_items,
    maxBytes: settings.max_request_bytes,
    maxInFlight,
    takesParts: true,
    async deliver(delivery: Delivery, abort: AbortSignal): Promise<Outcome> {
      const scratch = new Scratch(memory);
      const body =
        protocol === "push"
          ? [pushBody(delivery.entries, settings.labels)]
          : await bodyOf(delivery, settings.compression, scratch);
      const answer = await client.send({ method: "POST", url, headers, body }, abort);
      scratch.release();
      if (answer.kind === "none") return retry(answer.reason, answer.detail);
      return outcomeOf(answer, delivery.items);
    },
    close: async () => client.close(),
  };
}

/** A base path is kept. */
function urlOf({ url, protocol }: Settings): URL {
  const base = new URL(url);
  const path = base.pathname.replace(/\/*$/, "");
  return new URL(path + (protocol === "push" ? "/loki/api/v1/push" : "/otlp/v1/logs"), base);
}

function headersOf({ headers, tenant, protocol, compression }: Settings): Record<string, string> {
  return {
    ...headers,
    ...(tenant === undefined ? {} : { "x-scope-orgid": tenant }),
    "content-type": "application/x-protobuf",
    ...(protocol === "otlp" && compression === "gzip" ? { "content-encoding": "gzip" } : {}),
  };
}

/** A policy of this Loki keeps such entries out, which it does not call an error. */
const blocked = 260;

function outcomeOf(answer: Answer, items: number): Outcome {
  const { status, body } = answer;
  if (status !== 400 && status !== blocked) {
    return status >= 200 && status < 300 ? { kind: "delivered" } : outcomeOfRefusal(answer, items);
  }
  const detail = `HTTP ${status} ${messageOf(body)}`.trim();
  // The others were taken, if Loki has looked at entries at all.
  return reject("partial_success", detail, refusedOf(detail) ?? items);
}

/** As in "… total ignored: 3 out of 100 for stream: {…}". */
function refusedOf(detail: string): number | undefined {
  const counts = Array.from(detail.matchAll(/total ignored: (\d+) out of \d+/g), ([, count]) =>
    Number(count),
  );
  return counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count);
}
