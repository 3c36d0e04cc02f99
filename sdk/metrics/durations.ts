// How long HTTP requests took, as histograms that are aggregated where the request ends: finding the
// series is two lookups, counting is an addition. sdk-metrics sorts, joins and hashes the attributes for
// every measurement, which costs a request more than its span.

import type { Attributes } from "@opentelemetry/api";
import { maxSeries, overflow } from "./overflow.ts";
import { keepingOf, Series } from "./series.ts";

/** The requests of one method, scheme and version of the protocol: few, and the same for many requests. */
export class Family {
  readonly method: string;
  readonly scheme: string;
  readonly version: string;
  /** Requests that are being handled. */
  active = 0;
  readonly #series = new Map<string, Map<number | string, Series>>();

  constructor(method: string, scheme: string, version: string) {
    this.method = method;
    this.scheme = scheme;
    this.version = version;
  }

  /** A route or a host, and what else tells one series from another, a number where it can be. */
  find(name: string, key: number | string): Series | undefined {
    return this.#series.get(name)?.get(key);
  }

  keep(name: string, key: number | string, series: Series): void {
    let byKey = this.#series.get(name);
    if (!byKey) this.#series.set(name, (byKey = new Map()));
    byKey.set(key, series);
  }
}

export class Durations {
  readonly name: string;
  readonly description: string;
  readonly series: Series[] = [];
  readonly #families = new Map<string, Family[]>();
  #overflow: Series | undefined;

  constructor(name: string, description: string) {
    this.name = name;
    this.description = description;
  }

  get families(): readonly Family[] {
    return [...this.#families.values()].flat();
  }

  /** The method is one of those that are known, so that there cannot be many. */
  family(method: string, scheme: string, version: string): Family {
    let ofMethod = this.#families.get(method);
    if (!ofMethod) this.#families.set(method, (ofMethod = []));
    for (const family of ofMethod) {
      if (family.version === version && family.scheme === scheme) return family;
    }
    const family = new Family(method, scheme, version);
    ofMethod.push(family);
    return family;
  }

  /** Beyond the limit it is the same series for all, and what it is for is not remembered. */
  add(family: Family, name: string, key: number | string, attributes: Attributes): Series {
    if (this.series.length < maxSeries - 1) {
      const series = new Series(attributes, keepingOf(this.name, "sonde/http"));
      this.series.push(series);
      family.keep(name, key, series);
      return series;
    }
    if (!this.#overflow) {
      this.#overflow = new Series({ [overflow]: true }, keepingOf(this.name, "sonde/http"));
      this.series.push(this.#overflow);
    }
    return this.#overflow;
  }
}

export const serverDurations = new Durations(
  "http.server.request.duration",
  "Duration of HTTP server requests.",
);
export const clientDurations = new Durations(
  "http.client.request.duration",
  "Duration of HTTP client requests.",
);
