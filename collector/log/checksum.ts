// What a frame's payload is held against. XXH64, of which the lower half is kept: WebAssembly takes a third
// of the time that Node's crc32 takes for 45 kB, which was a tenth of what forwarding a span costs. Logs
// of earlier versions have crc32, so each frame says which it is.

import { crc32 } from "node:zlib";
import xxhash, { type XXHash, type XXHashAPI } from "xxhash-wasm";

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

/** XXH64's of all of them as of one. */
export function checksumOfParts(parts: Iterable<Uint8Array>): number {
  const hash = wasm().create64();
  for (const part of parts) addTo(hash, part);
  return lowerHalf(hash.digest());
}

/** It copies what it is given into memory that grows and never shrinks. */
const mostAtOnce = 1 << 20;

function xxh64(bytes: Uint8Array): bigint {
  if (bytes.length <= mostAtOnce) return wasm().h64Raw(bytes);
  const hash = wasm().create64();
  addTo(hash, bytes);
  return hash.digest();
}

function addTo(hash: XXHash<bigint>, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += mostAtOnce) {
    hash.update(bytes.subarray(at, at + mostAtOnce));
  }
}

function wasm(): XXHashAPI {
  if (!loaded) throw new Error("loadChecksum() has not been awaited");
  return loaded;
}

const lowerHalf = (hash: bigint): number => Number(hash & 0xffff_ffffn);
