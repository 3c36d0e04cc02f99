import { randomBytes } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import xxhash from "xxhash-wasm";
import { checksumOf, loadChecksum } from "../../../collector/log/checksum.ts";

beforeAll(() => loadChecksum());

test.each([
  ["crc32", "", 0],
  ["crc32", "123456789", 0xcbf43926],
  ["xxh64", "", 0x51d8e999], // of ef46db3751d8e999
  ["xxh64", "abc", 0xad770999], // of 44bc2cf5ad770999
] as const)("%s of %j", (kind, text, expected) => {
  expect(checksumOf(kind, Buffer.from(text))).toBe(expected);
});

test.each([-1, 0, 1, 2 << 20])(
  "what is %i bytes longer than it takes at once has the checksum that it has in one go",
  async (more) => {
    const bytes = randomBytes((1 << 20) + more);
    const whole = (await xxhash()).h64Raw(bytes);
    expect(checksumOf("xxh64", bytes)).toBe(Number(whole & 0xffff_ffffn));
  },
);
