// Which records the data streams have already. A data stream's ids are unique within one of its indices
// only: where a rollover lies between two deliveries of a record, the second one would be stored again. So
// before what may have been stored is sent again, the server is asked for the ids.

import type { Delivery } from "../output.ts";
import { isPassing, type Retry, retryFor } from "./answer.ts";
import { type Bulk, type Progress, Remaining } from "./bulk.ts";
import type { Client, Request } from "./client.ts";

interface Asking {
  readonly client: Client;
  readonly bulk: Bulk;
  readonly signal: AbortSignal;
}

/** So many ids in one question, of which Elasticsearch by itself allows 10,000. */
const mostIds = 2_000;
/** An old index may be out of order for good, which must not keep new records from being stored. */
const mostIncomplete = 10;
/** A line of a request may have 4 KiB. */
const longestPath = 3_000;

/** Settles what is there. Who may only write cannot ask: then undefined, as when all has been asked. */
export async function settleStored(
  delivery: Delivery,
  progress: Progress,
  asking: Asking,
): Promise<Retry | undefined> {
  const { bulk } = asking;
  const remaining = new Remaining(delivery, progress, bulk.documents);
  while (bulk.load(remaining, largestBytes, mostIds)) {
    const found = await search(progress, asking);
    if (!found) return undefined;
    if ("kind" in found) return found;
    for (let record = 0; record < bulk.records; record++) {
      if (found.has(bulk.id(record))) progress.settle(bulk.number(record));
    }
  }
  return undefined;
}

const largestBytes = 8 * 1024 * 1024;

async function search(
  progress: Progress,
  { client, bulk, signal }: Asking,
): Promise<ReadonlySet<string> | Retry | undefined> {
  const names = [...bulk.destinations].map(encodeURIComponent).join(",");
  const place = names.length > longestPath ? "logs-*,traces-*,metrics-*" : names;
  // What was stored a moment ago is found only after a refresh.
  const refresh = `${place}/_refresh?ignore_unavailable=true`;
  const refreshed = await client.request({ method: "POST", path: refresh }, signal);
  if (refreshed.kind === "none" || isPassing(refreshed.status)) return retryFor(refreshed);
  const wanted = "hits.hits._id,timed_out,_shards.failed";
  const options = `ignore_unavailable=true&filter_path=${wanted}&size=${bulk.records}`;
  const values = Array.from({ length: bulk.records }, (_, record) => bulk.id(record));
  const question = { query: { ids: { values } }, _source: false };
  const request: Request = {
    method: "POST",
    path: `${place}/_search?${options}`,
    body: Buffer.from(JSON.stringify(question)),
    contentType: "application/json",
  };
  const answer = await client.request(request, signal);
  if (answer.kind === "none" || isPassing(answer.status)) return retryFor(answer);
  const found = answer.status === 200 ? foundIn(answer.body) : undefined;
  const isWhole = found?.timed_out !== true && !found?._shards?.failed;
  if (!isWhole && progress.incomplete++ < mostIncomplete) return incomplete;
  return found && new Set((found.hits?.hits ?? []).map(({ _id }) => _id));
}

const incomplete: Retry = {
  kind: "retry",
  reason: "server_error",
  detail: "it cannot search all of what it has stored",
};

interface Found {
  readonly timed_out?: boolean;
  readonly _shards?: { readonly failed?: number };
  readonly hits?: { readonly hits?: readonly { readonly _id: string }[] };
}

/** Undefined for what is no answer to this question: not every server that has _bulk has it. */
function foundIn(body: Buffer): Found | undefined {
  try {
    const found: unknown = JSON.parse(body.toString());
    return typeof found === "object" && found !== null ? found : undefined;
  } catch {
    return undefined;
  }
}
