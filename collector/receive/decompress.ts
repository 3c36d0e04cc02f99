// Undoes the content-encoding of a body. What comes out is counted as it comes, against the limit of one
// request and the memory of all: a bomb is refused when it has reached the limit, not after.

import {
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
  constants,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from "node:zlib";
import type { Transform } from "node:stream";
import { Gathered } from "../http1/gathered.ts";
import type { Answer } from "./intake.ts";

export const compressions = ["gzip", "deflate", "zstd"] as const;
export type Compression = (typeof compressions)[number];

/** What may come out. */
export interface Room {
  readonly maxBytes: number;
  /** Asked before so many more bytes are kept. */
  hold(bytes: number): Answer | undefined;
  readonly tooLarge: () => Answer;
}

/**
 * Measured: to hand a body to the thread pool costs more CPU than to inflate 450 kB, and at 4.5 kB twice as
 * much as doing it at once. So small ones are done here, and given up when they turn out not to be.
 */
const smallBytes = 65_536;
const smallPlainBytes = 262_144;

/** At a time: the pool has four threads, and the log needs one of them for every sync. */
const maxAtOnce = 2;
const pieceBytes = 65_536;
/** What a frame may ask the decoder to remember: RFC 8878 wants 8 MiB to be supported, and no more. */
const maxZstdWindowLog = 23;

export async function decompress(
  body: Buffer,
  compression: Compression,
  room: Room,
): Promise<Buffer | Answer> {
  if (body.length === 0) return body;
  const coding = codings[compression](body);
  if (body.length <= smallBytes) {
    const plain = atOnce(body, coding, room);
    if (plain) return plain;
  }
  const own = Buffer.from(body); // it is lent until we wait for something
  await turn();
  try {
    return await inPieces(own, coding, room);
  } finally {
    done();
  }
}

interface Coding {
  readonly name: string;
  sync(body: Buffer, options: { readonly maxOutputLength: number }): Buffer;
  stream(options: { readonly chunkSize: number }): Transform;
}

const gzip: Coding = { name: "gzip", sync: gunzipSync, stream: createGunzip };
const zlib: Coding = { name: "deflate", sync: inflateSync, stream: createInflate };
const rawDeflate: Coding = { name: "deflate", sync: inflateRawSync, stream: createInflateRaw };
const params = { [constants.ZSTD_d_windowLogMax]: maxZstdWindowLog };
const zstd: Coding = {
  name: "zstd",
  sync: (body, options) => zstdDecompressSync(body, { ...options, params }),
  stream: (options) => createZstdDecompress({ ...options, params }),
};

const codings: Readonly<Record<Compression, (body: Buffer) => Coding>> = {
  gzip: () => gzip,
  deflate: (body) => (hasZlibHead(body) ? zlib : rawDeflate),
  zstd: () => zstd,
};

/** "deflate" is zlib's format by the standard; some senders leave its head and checksum away. */
function hasZlibHead(body: Buffer): boolean {
  const [first = 0, second = 0] = body;
  return (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0;
}

/** Undefined when it is larger than what should be done here. */
function atOnce(body: Buffer, coding: Coding, room: Room): Buffer | Answer | undefined {
  const maxOutputLength = Math.min(room.maxBytes, smallPlainBytes);
  try {
    const plain = coding.sync(body, { maxOutputLength });
    return room.hold(plain.length) ?? plain;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ERR_BUFFER_TOO_LARGE") return broken(coding, error as Error);
    return room.maxBytes <= smallPlainBytes ? room.tooLarge() : undefined;
  }
}

function inPieces(body: Buffer, coding: Coding, room: Room): Promise<Buffer | Answer> {
  return new Promise((resolve) => {
    const stream = coding.stream({ chunkSize: pieceBytes });
    const gathered = new Gathered(room.maxBytes);
    const stop = (answer: Answer): void => {
      stream.destroy();
      resolve(answer);
    };
    stream.on("data", (piece: Buffer) => {
      if (stream.destroyed) return;
      const isTooLarge = gathered.length + piece.length > room.maxBytes;
      const refused = isTooLarge ? room.tooLarge() : room.hold(piece.length);
      if (refused) stop(refused);
      else gathered.add(piece);
    });
    stream.on("error", (error: Error) => stop(broken(coding, error)));
    stream.on("end", () => resolve(gathered.finish()));
    stream.end(body);
  });
}

function broken({ name }: Coding, { message }: Error): Answer {
  return { kind: "invalid", message: `the body cannot be read as ${name}: ${message}` };
}

// ── taking turns ─────────────────────────────────────────────────────────────────────────────────

let running = 0;
const waiting: (() => void)[] = [];

async function turn(): Promise<void> {
  if (running < maxAtOnce) running++;
  else await new Promise<void>((resolve) => waiting.push(resolve));
}

/** Whoever waits takes over the place. */
function done(): void {
  const next = waiting.shift();
  if (next) next();
  else running--;
}
