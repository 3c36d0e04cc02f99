// The documents of log records: the quick writer makes the bytes that the thorough one makes, and each
// line of them is JSON.

import { destinationsOf } from "../../../collector/output/elasticsearch/destinations.ts";
import { fieldNames } from "../../../collector/output/elasticsearch/field-names.ts";
import { LogDocuments } from "../../../collector/output/elasticsearch/log-documents.ts";
import { settings } from "../../../collector/output/elasticsearch/settings.ts";
import { Leaves } from "../../../collector/wire/leaves.ts";
import { validate } from "../../../collector/wire/validate.ts";
import { protobufSeeds } from "../seeds.ts";
import { demand, type Target } from "../target.ts";

const atMs = Date.parse("2026-01-20T12:34:56.789Z");
const given = [{}, { fields: "ecs" }, { index: "logs-%Y.%m.%d-%H" }] as const;

const pairs = given.map((more) => {
  const parsed = settings.parse({ url: "http://localhost:9200", ...more });
  const options = {
    destinations: destinationsOf(parsed, "logs"),
    names: fieldNames[parsed.fields],
    logId: "log",
  };
  return [true, false].map((isQuick) => new LogDocuments({ ...options, isQuick }));
});

export const targets: readonly Target[] = [
  {
    name: "elasticsearch-logs",
    covers: [
      "collector/output/elasticsearch/groups.ts",
      "collector/output/elasticsearch/log-documents.ts",
      "collector/output/elasticsearch/value-writer.ts",
    ],
    shape: "protobuf",
    seeds: (random) => protobufSeeds("logs", random),
    run: compare,
  },
];

function compare(input: Uint8Array): boolean {
  const result = validate("logs", input);
  if (result.kind === "invalid") return false;
  for (const [quick, thorough] of pairs) {
    const text = written(quick!, result.batch.bytes);
    demand(text === written(thorough!, result.batch.bytes), () => `the quick one made ${text}`);
    for (const line of text.split("\n")) if (line !== "") JSON.parse(line);
  }
  return true;
}

const all = { part: 0, most: Infinity, enough: Infinity };

function written(documents: LogDocuments, bytes: Uint8Array): string {
  documents.json.clear();
  const leaves = new Leaves({ bytes });
  const batch = { signal: "logs", bytes, items: 1 } as const;
  while (leaves.next()) documents.write(leaves, { position: 7, atMs, batch }, all);
  return documents.json.slice(0, documents.json.length).toString();
}
