// Prints what arrives, for a person at a terminal. It takes everything and keeps nothing, so a delivery
// always succeeds, even where nobody reads what is printed.

import { toJson } from "../../wire/to-json.ts";
import type { Delivery, Output, OutputContext } from "../output.ts";
import type { Settings } from "./settings.ts";
import { summarize } from "./summary.ts";
import { printable } from "../../wire/printable.ts";

/** Resolves once the text is out, which is how a slow terminal slows the output down. */
export type Write = (text: string) => Promise<void>;

export function open(
  settings: Settings,
  _context: OutputContext,
  write: Write = toStdout,
): Promise<Output> {
  const print = settings.verbosity === "items" ? printItems : printSummary;
  return Promise.resolve({
    wants: ["traces", "metrics", "logs"],
    maxItems: 1000,
    maxBytes: 4 * 1024 * 1024,
    async deliver(delivery) {
      await print(delivery, write);
      return { kind: "delivered" };
    },
    close: () => Promise.resolve(),
  });
}

function printSummary(delivery: Delivery, write: Write): Promise<void> {
  return write(`${summarize(delivery)}\n`);
}

/** Beyond this a batch is summed up instead: its JSON would be of no use on a terminal. */
const maxJsonBytes = 1024 * 1024;

async function printItems(delivery: Delivery, write: Write): Promise<void> {
  const { signal } = delivery;
  for (const entry of delivery.entries) {
    const { bytes, items } = entry.batch;
    if (bytes.length <= maxJsonBytes) await write(`${printable(toJson(signal, bytes))}\n`);
    else {
      const summary = summarize({ signal, entries: [entry], items, bytes: bytes.length });
      await write(`${summary}   (${bytes.length} bytes, too large to print)\n`);
    }
  }
}

/** A reader that has gone away (`sonde | head`) must not take the collector with it. */
function toStdout(text: string): Promise<void> {
  return new Promise((resolve) => {
    const { stdout } = process;
    if (stdout.listenerCount("error", ignore) === 0) stdout.on("error", ignore);
    stdout.write(text, () => resolve());
  });
}

function ignore(): void {}
