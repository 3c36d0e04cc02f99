// What can be set of an output to a file.

import { z } from "zod";
import { bytes, path as filePath, signals } from "../../config/fields.ts";

const MiB = 1024 * 1024;

export const settings = z
  .strictObject({
    /** "-" is standard output. */
    path: filePath(),
    /** A line of OTLP/JSON for each request, or each request's protobuf behind its length. */
    format: z.enum(["json", "protobuf"]).default("json"),
    signals: signals().default(["traces", "metrics", "logs"]),
    /** A file that would grow beyond it is set aside, as `path`.1, and another begun; never if not given. */
    max_bytes: bytes({ min: MiB, max: 1024 * 1024 * MiB }).optional(),
    /** So many are set aside at most; the oldest is deleted. */
    max_files: z.int().min(1).max(1000).default(10),
  })
  .superRefine(({ path, format, signals, max_bytes }, context) => {
    const problem = (name: string, message: string): void =>
      context.addIssue({ code: "custom", path: [name], message });
    if (path === "-" && max_bytes !== undefined) {
      problem("max_bytes", "is for files; standard output cannot be set aside");
    }
    if (format === "protobuf" && new Set(signals).size > 1) {
      problem("format", "does not tell the signals apart; give just one in signals, or json here");
    }
  });

export type Settings = z.output<typeof settings>;
