// The output to a file, as archive or for another program to read. Each batch is a record of its own:
//
//   json       {"resourceSpans":[…]} ⏎        what the Go collector's file exporter writes by default
//   protobuf   length u32 big endian │ bytes   what it writes with format: proto
//
// A delivery is on disk, synced, before it counts as delivered.

import type { Outcome, Output, OutputContext } from "../output.ts";
import { recordsOf, tooLarge } from "./records.ts";
import { RotatedFile } from "./rotated-file.ts";
import type { Settings } from "./settings.ts";

/** Resolves once the bytes are out. */
export type Write = (bytes: Uint8Array) => Promise<void>;

const usualBytes = 4 * 1024 * 1024;

export async function open(
  settings: Settings,
  _context: OutputContext,
  write: Write = toStdout,
): Promise<Output> {
  const { path, format, max_bytes: maxFileBytes } = settings;
  const file = path === "-" ? undefined : new RotatedFile(settings);
  return {
    wants: settings.signals,
    maxItems: 10_000,
    // A file is not begun in the midst of a delivery, so these are small beside it.
    maxBytes: Math.min(usualBytes, (maxFileBytes ?? Infinity) / 4),
    takesParts: true,
    async deliver(delivery) {
      const large = tooLarge(delivery, format);
      if (large) return large;
      try {
        const records = recordsOf(delivery, format);
        await (file ? file.append(records) : write(records));
        return { kind: "delivered" };
      } catch (error) {
        return outcomeOf(error, path);
      }
    },
    close: async () => file?.close(),
  };
}

/** All of this passes, or a person can mend it. */
function outcomeOf(error: unknown, path: string): Outcome & { kind: "retry" } {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const detail = `${path === "-" ? "standard output" : path}: ${message}`;
  if (/^(ENOENT|ENOTDIR)$/.test(code)) return { kind: "retry", reason: "not_found", detail };
  if (/^(EACCES|EPERM|EROFS)$/.test(code)) return { kind: "retry", reason: "unauthorized", detail };
  return { kind: "retry", reason: "server_error", detail };
}

function toStdout(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const { stdout } = process;
    if (stdout.listenerCount("error", ignore) === 0) stdout.on("error", ignore);
    stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

/** The callback of the write has it, too. */
function ignore(): void {}
