// The collector on itself: every metric it offers at /metrics on the web port, in one list.

import type { Feed } from "../output/feed.ts";
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
  readonly incidents: Incidents;
}

export function ownMetrics(observed: Observed): string {
  return exposition(families(observed));
}

const outcomes: readonly ItemOutcome[] = ["accepted", "refused", "invalid"];

function families({ version, intake, receivers, log, feeds, incidents }: Observed): Family[] {
  const family = (name: string, type: Family["type"], help: string, samples: Sample[]): Family => ({
    name,
    type,
    help,
    samples,
  });
  const memory = process.memoryUsage.rss();
  const { user, system } = process.cpuUsage();
  return [
    family("sonde_build_info", "gauge", "The version of sonde, and of Node.", [
      sample(1, { version, node: process.versions.node }),
    ]),
    family(
      "sonde_receiver_items_total",
      "counter",
      "Items that came in, by what became of them; a request that cannot be read counts what was read of it, at least 1.",
      receivers.flatMap((receiver) =>
        signals.flatMap((signal) =>
          outcomes.map((outcome) =>
            sample(intake.itemsOf(receiver, signal, outcome), { receiver, signal, outcome }),
          ),
        ),
      ),
    ),
    family("sonde_receiver_held_bytes", "gauge", "Memory held by requests in flight.", [
      sample(intake.heldBytes, {}),
    ]),
    family(
      "sonde_log_items_total",
      "counter",
      "Items in the log since it began.",
      signals.map((signal) => sample(log.appended[signal], { signal })),
    ),
    family(
      "sonde_output_began_items",
      "gauge",
      "What sonde_log_items_total was when the output began.",
      feeds.flatMap(({ name: output, books }) =>
        signals.map((signal) => sample(books.began[signal], { output, signal })),
      ),
    ),
    family(
      "sonde_output_items_total",
      "counter",
      "Items that an output is done with, by what became of them and why.",
      feeds.flatMap(({ name: output, books }) =>
        [...books.lines].map(({ signal, outcome, reason, items }) =>
          sample(items, { output, signal, outcome, reason }),
        ),
      ),
    ),
    family(
      "sonde_output_waiting_items",
      "gauge",
      "Items in the log that an output is not done with.",
      feeds.flatMap(({ name: output, reader }) =>
        signals.map((signal) => sample(reader.waiting.items[signal], { output, signal })),
      ),
    ),
    family(
      "sonde_incidents_total",
      "counter",
      "What went wrong, by kind.",
      [...incidents.counts].map(([incident, count]) => sample(count, { incident })),
    ),
    family("process_resident_memory_bytes", "gauge", "Resident memory.", [sample(memory, {})]),
    family("process_cpu_seconds_total", "counter", "CPU time, user and system.", [
      sample((user + system) / 1e6, {}),
    ]),
  ];
}

function sample(value: number, labels: Readonly<Record<string, string>>): Sample {
  return { labels: Object.entries(labels), value };
}
