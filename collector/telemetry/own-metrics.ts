// The collector on itself: every metric it offers at /metrics on the web port, in one list.

import type { Feed } from "../output/feed.ts";
import type { Resender } from "../output/resend.ts";
import type { Intake, ItemOutcome, ReceiverName } from "../receive/intake.ts";
import type { Log } from "../log/log.ts";
import { signals } from "../wire/batch.ts";
import { exposition, type Family, type Sample } from "./exposition.ts";
import type { Incidents } from "./incidents.ts";

export interface Observed {
  readonly version: string;
  readonly intake: Intake;
  readonly receivers: readonly ReceiverName[];
  readonly log: Log;
  readonly feeds: readonly Feed[];
  readonly resenders: readonly Resender[];
  readonly incidents: Incidents;
}

export function ownMetrics(observed: Observed): string {
  return exposition([...ofReceivers(observed), ...ofOutputs(observed), ...ofProcess(observed)]);
}

const outcomes: readonly ItemOutcome[] = ["accepted", "refused", "invalid"];

function ofReceivers({ intake, receivers, log }: Observed): Family[] {
  return [
    {
      name: "sonde_receiver_items_total",
      type: "counter",
      help: "Items that came in, by what became of them; a request that cannot be read counts what was read of it, at least 1.",
      samples: receivers.flatMap((receiver) =>
        signals.flatMap((signal) =>
          outcomes.map((outcome) =>
            sample(intake.itemsOf(receiver, signal, outcome), { receiver, signal, outcome }),
          ),
        ),
      ),
    },
    {
      name: "sonde_receiver_held_bytes",
      type: "gauge",
      help: "Memory held by requests in flight.",
      samples: [sample(intake.heldBytes)],
    },
    {
      name: "sonde_log_items_total",
      type: "counter",
      help: "Items in the log since it began.",
      samples: signals.map((signal) => sample(log.appended[signal], { signal })),
    },
  ];
}

/** At any moment: log items − began = the sum over outcomes + waiting. */
function ofOutputs({ feeds, resenders }: Observed): Family[] {
  return [
    {
      name: "sonde_output_began_items",
      type: "gauge",
      help: "What sonde_log_items_total was when the output began.",
      samples: feeds.flatMap(({ name: output, books }) =>
        signals.map((signal) => sample(books.began[signal], { output, signal })),
      ),
    },
    {
      name: "sonde_output_items_total",
      type: "counter",
      help: "Items that an output is done with, by what became of them and why.",
      samples: feeds.flatMap(({ name: output, books }) =>
        [...books.lines].map(({ signal, outcome, reason, items }) =>
          sample(items, { output, signal, outcome, reason }),
        ),
      ),
    },
    {
      name: "sonde_output_resent_items_total",
      type: "counter",
      help: "Dead letters' items that were sent again and taken; above they stay rejected.",
      samples: resenders.flatMap(({ name: output, resent }) =>
        signals.map((signal) => sample(resent[signal], { output, signal })),
      ),
    },
    {
      name: "sonde_output_waiting_items",
      type: "gauge",
      help: "Items in the log that an output is not done with.",
      samples: feeds.flatMap(({ name: output, reader }) =>
        signals.map((signal) => sample(reader.waiting.items[signal], { output, signal })),
      ),
    },
  ];
}

function ofProcess({ version, incidents }: Observed): Family[] {
  const { user, system } = process.cpuUsage();
  return [
    {
      name: "sonde_build_info",
      type: "gauge",
      help: "The version of sonde, and of Node.",
      samples: [sample(1, { version, node: process.versions.node })],
    },
    {
      name: "sonde_incidents_total",
      type: "counter",
      help: "What went wrong, by kind.",
      samples: [...incidents.counts].map(([incident, count]) => sample(count, { incident })),
    },
    {
      name: "process_resident_memory_bytes",
      type: "gauge",
      help: "Resident memory.",
      samples: [sample(process.memoryUsage.rss())],
    },
    {
      name: "process_cpu_seconds_total",
      type: "counter",
      help: "CPU time, user and system.",
      samples: [sample((user + system) / 1e6)],
    },
  ];
}

function sample(value: number, labels: Readonly<Record<string, string>> = {}): Sample {
  return { labels: Object.entries(labels), value };
}
