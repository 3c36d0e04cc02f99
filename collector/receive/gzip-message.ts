// Undoes gzip where a small message may become a large one. A gzip stream ends with the size of its
// content, so the memory is asked for before anything is unpacked, and no more than that is unpacked.

import { gunzip } from "node:zlib";
import type { Answer, Intake } from "./intake.ts";

const gzipMagic = 0x1f8b;
const smallestGzip = 18; // head, trailer and nothing between

/** What `use` answers to the content; what that holds in memory meanwhile is accounted for. */
export async function unpack(
  intake: Intake,
  packed: Buffer,
  use: (content: Buffer) => Promise<Answer>,
): Promise<Answer> {
  if (packed.length < smallestGzip) return notGzip("it is cut off");
  if (packed.readUInt16BE(0) !== gzipMagic) return notGzip("it does not begin as gzip does");
  const declared = packed.readUInt32LE(packed.length - 4);
  const answer = await unpackWithin(intake, packed, { most: declared, use });
  // Several streams in a row are gzip too, and the size is that of the last. Nobody is known to send it.
  if (answer) return answer;
  const most = intake.requestMaxBytes;
  return (await unpackWithin(intake, packed, { most, use })) ?? tooLarge(most);
}

interface Unpacking {
  readonly most: number;
  readonly use: (content: Buffer) => Promise<Answer>;
}

/** Undefined when the content is larger than that. */
async function unpackWithin(
  intake: Intake,
  packed: Buffer,
  { most, use }: Unpacking,
): Promise<Answer | undefined> {
  if (most > intake.requestMaxBytes) return tooLarge(intake.requestMaxBytes);
  const refused = intake.hold(most, packed.length);
  if (refused) return refused;
  try {
    const content = await inflate(packed, most);
    if (content === "larger") return undefined;
    return Buffer.isBuffer(content) ? await use(content) : content;
  } finally {
    intake.release(most);
  }
}

function inflate(packed: Buffer, most: number): Promise<Buffer | "larger" | Answer> {
  return new Promise((resolve) => {
    const maxOutputLength = Math.max(1, most); // nothing at all is not a limit for zlib
    gunzip(packed, { maxOutputLength }, (error, content) => {
      if (!error) resolve(content);
      else if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") resolve("larger");
      else resolve(notGzip(error.message));
    });
  });
}

function notGzip(why: string): Answer {
  return { kind: "invalid", message: `the message is not gzip: ${why}` };
}

function tooLarge(requestMaxBytes: number): Answer {
  const message = `the message is larger than request_max_bytes, ${requestMaxBytes} after decompression`;
  return { kind: "too_large", message };
}
