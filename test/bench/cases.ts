// What is measured: spans in and out over one protocol, so many to a request.

export type Protocol = "http" | "grpc";

export interface Case {
  readonly name: string;
  readonly protocol: Protocol;
  readonly spansPerRequest: number;
  /** Multiples of spansPerRequest, both. The warm-up is sent before and not measured. */
  readonly spans: number;
  readonly warmUpSpans: number;
}

const many = { spans: 300_000, warmUpSpans: 60_000 };
const few = { spans: 20_000, warmUpSpans: 4_000 };

/** Requests that are under way at any time. */
export const inFlight = 16;

export const cases: readonly Case[] = [
  { name: "http-100", protocol: "http", spansPerRequest: 100, ...many },
  { name: "http-1", protocol: "http", spansPerRequest: 1, ...few },
  { name: "grpc-100", protocol: "grpc", spansPerRequest: 100, ...many },
  { name: "grpc-1", protocol: "grpc", spansPerRequest: 1, ...few },
];

/** The same with so many requests only. */
export function shortened(given: Case, requests: number): Case {
  const { spansPerRequest } = given;
  const warmUpSpans = Math.ceil(requests / 5) * spansPerRequest;
  return { ...given, spans: requests * spansPerRequest, warmUpSpans };
}
