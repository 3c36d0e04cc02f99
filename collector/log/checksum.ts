// What a frame's payload is held against. XXH64, of which the lower half is kept: WebAssembly takes a third
// of the time that Node's crc32 takes for 45 kB, which was a tenth of what forwarding a span costs. Logs
// of earlier versions have crc32, so each frame says which it is.

import { crc32 } from "node:zlib";
import xxhash, { type XXHashAPI } from "xxhash-wasm";

export const checksums = ["crc32", "xxh64"] as const;
export type Checksum = (typeof checksums)[number];

let loaded: XXHashAPI | undefined;

/** To be awaited once in a process, before anything is written or read. */
export async function loadChecksum(): Promise<void> {
  loaded ??= await xxhash();
}

export function checksumOf(kind: Checksum, bytes: Uint8Array): number {
  return kind === "crc32" ? crc32(bytes) : lowerHalf(xxh64(bytes));
}

/** It copies what it is given into memory that grows and never shrinks. */
const mostAtOnce = 1 << 20;

function xxh64(bytes: Uint8Array): bigint {
  if (!loaded) throw new Error("loadChecksum() has not been awaited");
  if (bytes.length <= mostAtOnce) return loaded.h64Raw(bytes);
  const hash = loaded.create64();
  for (let at = 0; at < bytes.length; at += mostAtOnce) {
    hash.update(bytes.subarray(at, at + mostAtOnce));
  }
  return hash.digest();
}

const lowerHalf = (hash: bigint): number => Number(hash & 0xffff_ffffn);
