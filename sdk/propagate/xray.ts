// The format of AWS X-Ray: `x-amzn-trace-id: Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`.

import type { TextMapPropagator } from "@opentelemetry/api";
import { headerOf, idOf, spanToInject, withParent } from "./headers.ts";

const header = "x-amzn-trace-id";

export function xrayPropagator(): TextMapPropagator {
  return {
    inject(context, carrier, setter) {
      const span = spanToInject(context);
      if (span === undefined) return;
      const root = `1-${span.traceId.slice(0, 8)}-${span.traceId.slice(8)}`;
      const isSampled = span.traceFlags & 1;
      setter.set(carrier, header, `Root=${root};Parent=${span.spanId};Sampled=${isSampled}`);
    },
    extract(context, carrier, getter) {
      const text = headerOf(carrier, getter, header);
      if (text === undefined) return context;
      const parts = new Map(text.split(";").map((part) => pairOf(part)));
      const root = /^1-([0-9a-f]{8})-([0-9a-f]{24})$/i.exec(parts.get("root") ?? "");
      const parent = parts.get("parent");
      if (root === null || parent?.length !== 16) return context;
      const traceId = idOf(`${root[1]}${root[2]}`, 32);
      return withParent(context, traceId, idOf(parent, 16), parts.get("sampled") === "1");
    },
    fields: () => [header],
  };
}

function pairOf(part: string): [key: string, value: string] {
  const at = part.indexOf("=");
  return [part.slice(0, Math.max(at, 0)).trim().toLowerCase(), part.slice(at + 1).trim()];
}
