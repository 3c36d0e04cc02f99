// What the formats with headers of their own have in common: ids, and baggage in a header per entry.

import type { Baggage, Context, TextMapGetter, TextMapSetter } from "@opentelemetry/api";
import type { SpanContext } from "@opentelemetry/api";
import { load } from "../packages.ts";
import { isSuppressed } from "../trace/context.ts";

/** No format has a longer one; what is longer is not read at all. */
const longestHeader = 1024;

export function headerOf(
  carrier: unknown,
  getter: TextMapGetter,
  name: string,
): string | undefined {
  const value = getter.get(carrier, name);
  const text = Array.isArray(value) ? (value as unknown[])[0] : value; // the API's types leave more open
  return typeof text === "string" && text.length <= longestHeader ? text.trim() : undefined;
}

/** Undefined if it is no id; zeros in front may be left out. */
export function idOf(text: string | undefined, length: 16 | 32): string | undefined {
  if (text === undefined || text.length > length || !/^[0-9a-f]+$/i.test(text)) return undefined;
  const id = text.toLowerCase().padStart(length, "0");
  return /^0+$/.test(id) ? undefined : id;
}

/** The context unchanged if it is no trace. */
export function withParent(
  context: Context,
  traceId: string | undefined,
  spanId: string | undefined,
  isSampled: boolean,
): Context {
  if (traceId === undefined || spanId === undefined) return context;
  const { trace } = load("@opentelemetry/api");
  const parent = { traceId, spanId, traceFlags: isSampled ? 1 : 0, isRemote: true };
  return trace.setSpanContext(context, parent);
}

/** Undefined where nothing is to be passed on. */
export function spanToInject(context: Context): SpanContext | undefined {
  const { isSpanContextValid, trace } = load("@opentelemetry/api");
  if (isSuppressed(context)) return undefined;
  const span = trace.getSpanContext(context);
  return span !== undefined && isSpanContextValid(span) ? span : undefined;
}

// Those of W3C's baggage.
const mostEntries = 180;
const mostBytes = 8192;
const mostHeaders = 1000;

/** From headers that begin with the prefix. */
export function withBaggage(
  context: Context,
  carrier: unknown,
  getter: TextMapGetter,
  { prefix, decode }: { readonly prefix: string; readonly decode: (value: string) => string },
): Context {
  const { propagation } = load("@opentelemetry/api");
  let baggage: Baggage | undefined;
  let bytes = 0;
  let entries = 0;
  for (const name of getter.keys(carrier).slice(0, mostHeaders)) {
    if (name.length <= prefix.length || !name.toLowerCase().startsWith(prefix)) continue;
    const text = headerOf(carrier, getter, name);
    if (text === undefined) continue;
    bytes += name.length - prefix.length + text.length;
    if (bytes > mostBytes || ++entries > mostEntries) break;
    baggage ??= propagation.getBaggage(context) ?? propagation.createBaggage();
    baggage = baggage.setEntry(name.slice(prefix.length), { value: decoded(text, decode) });
  }
  return baggage === undefined ? context : propagation.setBaggage(context, baggage);
}

function decoded(text: string, decode: (value: string) => string): string {
  try {
    return decode(text);
  } catch {
    return text;
  }
}

/** Entries that make no header are left out. */
export function injectBaggage(
  context: Context,
  carrier: unknown,
  setter: TextMapSetter,
  { prefix, encode }: { readonly prefix: string; readonly encode: (value: string) => string },
): void {
  const { propagation } = load("@opentelemetry/api");
  if (isSuppressed(context)) return;
  let bytes = 0;
  for (const [key, { value }] of propagation.getBaggage(context)?.getAllEntries() ?? []) {
    const text = encoded(value, encode);
    if (text === undefined || !/^[!#$%&'*+.^_`|~0-9a-zA-Z-]+$/.test(key)) continue;
    bytes += key.length + text.length;
    if (bytes > mostBytes) return;
    setter.set(carrier, `${prefix}${key}`, text);
  }
}

function encoded(value: string, encode: (value: string) => string): string | undefined {
  try {
    const text = encode(value);
    return /^[ -~]+$/.test(text) && text.length <= longestHeader ? text : undefined;
  } catch {
    return undefined;
  }
}
