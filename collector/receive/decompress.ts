// Undoes the content-encoding of a body. What comes out is counted as it comes, against the limit of one
// request and the memory of all: a bomb is refused when it has reached the limit, not after.

import {
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
  constants,
  gunzip,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from "node:zlib";
import type { Transform } from "node:stream";
import { Gathered } from "../memory/gathered.ts";
import { free, type Memory } from "../memory/memory.ts";
import type { Answer } from "./intake.ts";

export const compressions = ["gzip", "deflate", "zstd"] as const;
export type Compression = (typeof compressions)[number];

/** What may come out. */
export interface Room {
  readonly maxBytes: number;
  readonly memory: Memory;
  /** Asked before so many more bytes are kept. */
  hold(bytes: number): Answer | undefined;
  /** Fewer came than were asked for. */
  release(bytes: number): void;
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
/** What deflate can make of a byte at most; and no gzip is smaller than its head and trailer. */
const mostPerByte = 1_032;
const leastGzipBytes = 18;
const pieceBytes = 65_536;
/** What a frame may ask the decoder to remember: RFC 8878 wants 8 MiB to be supported, and no more. */
const maxZstdWindowLog = 23;

/** What came out. */
export class Plain {
  readonly bytes: Buffer;
  /** Nobody will look at it any more. */
  readonly release: () => void;

  constructor(bytes: Buffer, release = (): void => {}) {
    this.bytes = bytes;
    this.release = release;
  }
}

/** `body` is lent as a server lends it (http1/application.ts). */
export async function decompress(
  body: Buffer,
  compression: Compression,
  room: Room,
): Promise<Plain | Answer> {
  if (body.length === 0) return new Plain(body);
  const coding = codings[compression](body);
  if (body.length <= smallBytes) {
    const plain = atOnce(body, coding, room);
    if (plain) return plain;
  }
  // A thread may still read it when we have given up, and the answer is on its way.
  const own = Buffer.from(body);
  const endTurn = await turn();
  const declared = coding === gzip ? await asDeclared(own, room, endTurn) : undefined;
  return declared ?? (await inPieces(own, { coding, room, endTurn }));
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
function atOnce(body: Buffer, coding: Coding, room: Room): Plain | Answer | undefined {
  const maxOutputLength = Math.min(room.maxBytes, smallPlainBytes);
  try {
    const plain = coding.sync(body, { maxOutputLength });
    return room.hold(plain.length) ?? new Plain(plain);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ERR_BUFFER_TOO_LARGE") return broken(coding, error as Error);
    return room.maxBytes <= smallPlainBytes ? room.tooLarge() : undefined;
  }
}

/**
 * A gzip stream ends with the size of its content, so it can be unpacked at once into as much memory; the
 * body is freed then. Undefined, and the body as it was, where it turns out to be larger: several streams
 * in a row are gzip too, or it is a lie.
 */
function asDeclared(
  body: Buffer,
  room: Room,
  endTurn: () => void,
): Promise<Plain | Answer | undefined> | undefined {
  if (body.length < leastGzipBytes) return undefined;
  const size = body.readUInt32LE(body.length - 4);
  if (size > room.maxBytes || size > body.length * mostPerByte) return undefined;
  const refused = room.hold(size);
  if (refused) {
    endTurn();
    return Promise.resolve(refused);
  }
  // One more than what comes, or zlib would take as much again to see whether there is more.
  const options = { chunkSize: Math.max(size + 1, 1 << 10), maxOutputLength: Math.max(size, 1) };
  return new Promise((resolve) => {
    gunzip(body, options, (error, plain) => {
      const isLarger = error !== null && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
      if (isLarger) {
        room.release(size);
        resolve(undefined);
        return;
      }
      free(body);
      if (error) {
        endTurn();
        resolve(broken(gzip, error));
      } else {
        const release = (): void => {
          free(plain);
          endTurn();
        };
        resolve(new Plain(plain, release));
      }
    });
  });
}

interface InPieces {
  readonly coding: Coding;
  readonly room: Room;
  readonly endTurn: () => void;
}

function inPieces(body: Buffer, { coding, room, endTurn }: InPieces): Promise<Plain | Answer> {
  return new Promise((resolve) => {
    const stream = coding.stream({ chunkSize: pieceBytes });
    const gathered = new Gathered(room.memory);
    const release = (): void => {
      gathered.release();
      endTurn();
    };
    const stop = (answer: Answer): void => {
      stream.destroy();
      release();
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
    stream.on("end", () => resolve(new Plain(gathered.finish(), release)));
    stream.end(body);
  });
}

function broken({ name }: Coding, { message }: Error): Answer {
  return { kind: "invalid", message: `the body cannot be read as ${name}: ${message}` };
}

// ── taking turns ─────────────────────────────────────────────────────────────────────────────────

let running = 0;
const waiting: (() => void)[] = [];

/** Gives what ends the turn: that is due when nothing of it is in memory any more. */
async function turn(): Promise<() => void> {
  if (running < maxAtOnce) running++;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    // Whoever waits takes over the place.
    const next = waiting.shift();
    if (next) next();
    else running--;
  };
}
