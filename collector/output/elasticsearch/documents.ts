// What writes the documents of each signal.

import type { Signal } from "../../wire/batch.ts";
import type { Documents } from "./bulk.ts";
import { destinationsOf } from "./destinations.ts";
import { fieldNames } from "./field-names.ts";
import { LogDocuments } from "./log-documents.ts";
import { MetricDocuments } from "./metric-documents.ts";
import type { Settings } from "./settings.ts";
import { SpanDocuments } from "./span-documents.ts";

export function documentsOf(signal: Signal, settings: Settings, logId: string): Documents {
  const names = fieldNames[settings.fields];
  const destinations = destinationsOf(settings, signal);
  if (signal === "logs") return new LogDocuments({ destinations, names, logId });
  if (signal === "metrics") return new MetricDocuments({ destinations, names, logId });
  const events = destinationsOf(settings, "logs");
  return new SpanDocuments({ spans: destinations, events, names, logId });
}
