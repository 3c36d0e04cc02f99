// Sound requests for the corpus to begin with: what SDKs send, and what otlp.proto allows.

import * as fc from "fast-check";
import type { Signal } from "../../collector/wire/batch.ts";
import { anyMessage, jsonOf } from "../support/otlp-arbitrary.ts";
import { encodeRequest, type Request, sampleRequest } from "../support/otlp.ts";
import type { Random } from "./random.ts";

/** Of each signal. Many that can be made are nearly empty; only a few of these are wanted. */
const count = 120;
const nearlyEmpty = 60;
const wantedNearlyEmpty = 10;

export function protobufSeeds(signal: Signal, random: Random): Uint8Array[] {
  return requestSeeds(signal, random).map((request) => encodeRequest(signal, request));
}

export function jsonSeeds(signal: Signal, random: Random): Uint8Array[] {
  return requestSeeds(signal, random).map((request) => Buffer.from(jsonOf(request)));
}

function requestSeeds(signal: Signal, random: Random): Request[] {
  const name = { traces: "Trace", metrics: "Metrics", logs: "Logs" }[signal];
  const any = anyMessage(`Export${name}ServiceRequest`) as fc.Arbitrary<Request>;
  const some = fc.sample(any, { numRuns: 3 * count, seed: random.next() });
  const isFull = (request: Request): boolean => jsonOf(request).length > nearlyEmpty;
  return [
    {},
    sampleRequest(signal, { items: 1 }),
    sampleRequest(signal, { items: 3 }),
    ...some.filter((request) => !isFull(request)).slice(0, wantedNearlyEmpty),
    ...some.filter(isFull).slice(0, count - wantedNearlyEmpty),
  ];
}
