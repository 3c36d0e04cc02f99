// Points in time and stretches of it as CEL writes them: RFC 3339 and "1h2m3.5s", to the nanosecond.

import { shown } from "./syntax.ts";
import { Duration, Failure, maxInt, minInt, Timestamp } from "./values.ts";

const second = 1_000_000_000n;
const minNanos = -62_135_596_800n * second; // 0001-01-01T00:00:00Z
const maxNanos = 253_402_300_800n * second - 1n; // 9999-12-31T23:59:59.999999999Z

export function timestampOf(nanos: bigint): Timestamp | Failure {
  const isInRange = nanos >= minNanos && nanos <= maxNanos;
  return isInRange ? new Timestamp(nanos) : new Failure("a timestamp out of range");
}

export function durationOf(nanos: bigint): Duration | Failure {
  const isInRange = nanos >= minInt && nanos <= maxInt; // 292 years
  return isInRange ? new Duration(nanos) : new Failure("a duration out of range");
}

const rfc3339 = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/i;

export function parseTimestamp(text: string): Timestamp | Failure {
  const [, day, time, fraction = "", sign, hours = "0", minutes = "0"] = rfc3339.exec(text) ?? [];
  const ms = Date.parse(`${day}T${time}Z`);
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 19) !== `${day}T${time}`) {
    return new Failure("not a timestamp; write one such as 2026-01-31T12:00:00Z");
  }
  const offset = BigInt(Number(hours) * 3600 + Number(minutes) * 60) * (sign === "-" ? -1n : 1n);
  const nanos = BigInt(fraction.padEnd(9, "0"));
  return timestampOf((BigInt(ms / 1000) - offset) * second + nanos);
}

export function formatTimestamp({ nanos }: Timestamp): string {
  const rest = ((nanos % second) + second) % second;
  const iso = new Date(Number((nanos - rest) / 1_000_000n)).toISOString().slice(0, 19);
  return `${iso}${fractionOf(rest)}Z`;
}

const units: ReadonlyMap<string, bigint> = new Map([
  ["h", 3600n * second],
  ["m", 60n * second],
  ["s", second],
  ["ms", 1_000_000n],
  ["us", 1000n],
  ["µs", 1000n],
  ["ns", 1n],
]);

export function parseDuration(text: string): Duration | Failure {
  const wrong = new Failure('not a duration; write one such as "1h30m" or "250ms"');
  if (text.length > 64) return wrong;
  const [, sign, body = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (body === "0") return new Duration(0n);
  if (!/^((\d+\.?\d*|\.\d+)(h|ms|m|s|us|µs|ns))+$/.test(body)) return wrong;
  let nanos = 0n;
  for (const [, whole = "", fraction = "", unit = ""] of body.matchAll(
    /(\d*)\.?(\d*)(h|ms|m|s|us|µs|ns)/g,
  )) {
    const scale = units.get(unit) ?? 0n;
    nanos += BigInt(whole) * scale;
    nanos += (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length);
  }
  return durationOf(sign === "-" ? -nanos : nanos);
}

export function formatDuration({ nanos }: Duration): string {
  const size = nanos < 0n ? -nanos : nanos;
  return `${nanos < 0n ? "-" : ""}${size / second}${fractionOf(size % second)}s`;
}

function fractionOf(nanos: bigint): string {
  return nanos === 0n ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;
}

/** A part of a time in UTC, or with an offset such as +02:00, or where clocks show that zone's time. */
export function calendarPart(
  { nanos }: Timestamp,
  zone: string | undefined,
  part: (date: Date) => number,
): bigint | Failure {
  const ms = Number(nanos / 1_000_000n - (nanos % 1_000_000n < 0n ? 1n : 0n));
  const shift = zone === undefined ? 0 : offsetMs(zone, ms);
  if (shift === undefined) return new Failure(`no such time zone: ${shown(zone ?? "")}`);
  return BigInt(part(new Date(ms + shift)));
}

const zones = new Map<string, Intl.DateTimeFormat>();
const maxZones = 100;

function offsetMs(zone: string, ms: number): number | undefined {
  const [fixed, sign, hours, minutes] = /^([+-]?)(\d\d):(\d\d)$/.exec(zone) ?? [];
  if (fixed) return (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === "-" ? -1 : 1);
  let format = zones.get(zone);
  if (!format) {
    try {
      format = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" });
    } catch {
      return undefined;
    }
    if (zones.size >= maxZones) zones.clear();
    zones.set(zone, format);
  }
  const name = format.formatToParts(ms).find(({ type }) => type === "timeZoneName")?.value ?? "";
  const [, direction, hour = "0", minute = "0"] = /GMT(?:([+-])(\d\d):(\d\d))?/.exec(name) ?? [];
  return (Number(hour) * 60 + Number(minute)) * 60_000 * (direction === "-" ? -1 : 1);
}

export function calendarMillis({ nanos }: Timestamp): bigint {
  return (((nanos % second) + second) % second) / 1_000_000n;
}
