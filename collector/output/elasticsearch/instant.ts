// A point in time with nanoseconds, from the wire to ISO 8601 without a bigint in between.

import type { JsonWriter } from "./json-writer.ts";

const secondsPerDay = 86_400;

export class Instant {
  /** Since 1970. */
  seconds = 0;
  nanos = 0;
  isKnown = false;
  #day = -1;
  #date = "";

  /** A fixed64 of nanoseconds. Zero is none, and so is what lies after 2262: date_nanos ends there. */
  read(bytes: Uint8Array, start: number): void {
    const low = uint32(bytes, start);
    const high = uint32(bytes, start + 4);
    this.isKnown = high < 0x8000_0000 && (low > 0 || high > 0);
    // 2^32 ns are 4 s and 294 × 10^6 + 967296 ns; in these parts all products are exact.
    const rest = ((high * 294) % 1000) * 1_000_000 + high * 967_296 + low;
    this.seconds = high * 4 + Math.floor((high * 294) / 1000) + Math.floor(rest / 1e9);
    this.nanos = rest % 1e9;
  }

  set(ms: number): void {
    this.isKnown = true;
    this.seconds = Math.floor(ms / 1000);
    this.nanos = (ms - this.seconds * 1000) * 1_000_000;
  }

  copy(other: Instant): void {
    this.isKnown = other.isKnown;
    this.seconds = other.seconds;
    this.nanos = other.nanos;
  }

  /** `"2026-01-02T03:04:05.123456789Z"` */
  write(json: JsonWriter): void {
    const day = Math.floor(this.seconds / secondsPerDay);
    if (day !== this.#day) {
      this.#day = day;
      this.#date = `"${new Date(day * secondsPerDay * 1000).toISOString().slice(0, 11)}`;
    }
    const second = this.seconds - day * secondsPerDay;
    json.ascii(this.#date);
    json.digits(Math.floor(second / 3600), 2);
    json.ascii(":");
    json.digits(Math.floor(second / 60) % 60, 2);
    json.ascii(":");
    json.digits(second % 60, 2);
    json.ascii(".");
    json.digits(this.nanos, 9);
    json.ascii('Z"');
  }
}

function uint32(bytes: Uint8Array, at: number): number {
  const [one, two, three, four] = [bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!];
  return (one | (two << 8) | (three << 16) | (four << 24)) >>> 0;
}
