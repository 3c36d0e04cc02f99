// What is measured: spans or log records in and out over one protocol, so many to a request, and what else happens.

export type Protocol = "http" | "grpc";
/** What is counted is called a span in what follows, whichever of the two it is. */
export type Counted = "traces" | "logs";

export interface Case {
  readonly name: string;
  /**
   * `forward`: what a span costs from arriving to having been delivered. `down`: what it costs to take
   * one while the destination refuses connections, which then comes back. `recovery`: to deliver, from
   * its start, what waits on disk.
   */
  readonly kind: "forward" | "down" | "recovery";
  readonly protocol: Protocol;
  readonly signal: Counted;
  readonly spansPerRequest: number;
  /** Multiples of spansPerRequest, both. The warm-up is sent before and not measured. */
  readonly spans: number;
  readonly warmUpSpans: number;
  /** Requests that are under way at any time. */
  readonly inFlight: number;
  readonly connections: number;
  /** Part of the everyday run. */
  readonly isUsual: boolean;
  /** That ours may take, where it is not what any case may. */
  readonly mostBytes?: number;
}

// With 64 in flight the Go collector does best; with 8, 16 or 32 it spends up to a tenth more a span.
const forward = { kind: "forward", signal: "traces", inFlight: 64 } as const;
const http = { ...forward, protocol: "http", connections: 64 } as const;
const grpc = { ...forward, protocol: "grpc", connections: 4 } as const;
const by100 = { spansPerRequest: 100, spans: 1_000_000, warmUpSpans: 2_000_000 };
/** Enough for what costs little, so that a slow moment of the machine is a small part of it. */
const longBy100 = { ...by100, spans: 3_000_000 };
const by1 = { spansPerRequest: 1, spans: 100_000, warmUpSpans: 50_000 };
/** 10 MB. */
const bySize = { spansPerRequest: 22_500, spans: 1_125_000, warmUpSpans: 225_000 };
/** 1 GiB. */
const backlog = { spansPerRequest: 100, spans: 2_400_000, warmUpSpans: 0 };

const usual = { isUsual: true };
const unusual = { isUsual: false };

export const cases: readonly Case[] = [
  { name: "http-100", ...http, ...by100, ...usual },
  { name: "http-1", ...http, ...by1, ...usual },
  { name: "grpc-100", ...grpc, ...by100, ...usual },
  { name: "grpc-1", ...grpc, ...by1, ...usual },
  { name: "connections-1000", ...http, connections: 1000, ...by100, ...unusual },
  { name: "requests-10mb", ...http, inFlight: 4, connections: 4, ...bySize, ...unusual },
  { name: "destination-down", ...http, kind: "down", ...by100, ...unusual },
  { name: "recovery", ...http, kind: "recovery", ...backlog, ...unusual },
  { name: "steps", ...http, ...by100, ...unusual },
  // Ours makes documents of them, the Go collector passes them on: it has no such exporter here.
  // Each of the requests under way has memory of its own.
  {
    name: "logs-elasticsearch",
    ...http,
    signal: "logs",
    ...longBy100,
    ...unusual,
    mostBytes: 165e6,
  },
];

/** The same with so many requests only, or fewer if these are large. */
export function shortened(given: Case, mostRequests: number): Case {
  const { spansPerRequest } = given;
  const requests = Math.min(mostRequests, Math.ceil((mostRequests * 100) / spansPerRequest));
  const warmUpSpans = given.warmUpSpans && Math.ceil(requests / 5) * spansPerRequest;
  return { ...given, spans: requests * spansPerRequest, warmUpSpans };
}

/** The same with that part of its spans. */
export function shareOf(given: Case, share: number): Case {
  const part = (spans: number): number =>
    Math.ceil((spans * share) / given.spansPerRequest) * given.spansPerRequest;
  return { ...given, spans: part(given.spans), warmUpSpans: part(given.warmUpSpans) };
}
