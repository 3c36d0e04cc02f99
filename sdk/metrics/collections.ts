// How long garbage collections took. Node makes four functions with prototypes of their own for
// each that it tells of: 60 µs, and 4 KB that live until the next collection of old objects. V8
// gives new objects the more room the more of them live on, so that in a busy app it would be 6 MB
// and more. There runs of collections are looked at, and each in them stands for those of the
// pause behind the run too.

import type { PerformanceEntry } from "node:perf_hooks";
import { setTimeout } from "node:timers";
import { tell } from "../tell.ts";
import { keepingOf, Series } from "./series.ts";

const perRun = 20;
/** Behind a run that takes longer there is no pause: so few cost nothing. */
const calmMs = 2000;
/** A pause is so many times as long as its run. */
const pauseTimes = 4;

export interface Collection {
  readonly type: string;
  readonly seconds: number;
  readonly atMs: number;
}

/** As Node documents it. */
interface Told {
  readonly detail?: { readonly kind?: number };
}

/** What is looked at, and when not. */
export class Runs {
  readonly #count: (collection: Collection, times: number) => void;
  /** Asks to look away for so long. */
  readonly #pause: (ms: number) => void;
  #run: Collection[] = [];

  constructor(count: (collection: Collection, times: number) => void, pause: (ms: number) => void) {
    this.#count = count;
    this.#pause = pause;
  }

  take(collections: readonly Collection[]): void {
    for (const collection of collections) this.#count(collection, 1);
    this.#run.push(...collections);
    if (this.#run.length < perRun) return;
    const run = this.#run;
    this.#run = [];
    const tookMs = run.at(-1)!.atMs - run[0]!.atMs;
    if (tookMs >= calmMs) return;
    for (const collection of run) this.#count(collection, pauseTimes);
    this.#pause(tookMs * pauseTimes);
  }
}

const collected: Series[] = [];
let isWatched = false;

/** Once for all readers. */
export function watchCollections(name: string): readonly Series[] {
  if (isWatched) return collected;
  isWatched = true;
  const { constants, PerformanceObserver } = process.getBuiltinModule("node:perf_hooks");
  const kinds: Readonly<Record<number, string>> = {
    [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
    [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
    [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
    [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
  };
  const byType = new Map<string, Series>();
  const count = ({ type, seconds }: Collection, times: number): void => {
    let series = byType.get(type);
    if (!series) {
      series = new Series({ "v8js.gc.type": type }, keepingOf(name, "sonde/runtime"));
      byType.set(type, series);
      collected.push(series);
    }
    for (let time = 0; time < times; time++) series.add(seconds);
  };
  const look = (): void => observer.observe({ entryTypes: ["gc"] });
  const pause = (ms: number): void => {
    observer.disconnect();
    setTimeout(look, ms).unref();
  };
  const runs = new Runs(count, pause);
  const observer = new PerformanceObserver((list) => {
    try {
      runs.take(list.getEntries().flatMap(collectionIn(kinds)));
    } catch {
      tell("garbage collections are not counted"); // it would be an exception of the app
    }
  });
  look();
  return collected;
}

function collectionIn(kinds: Readonly<Record<number, string>>) {
  return (entry: PerformanceEntry): readonly Collection[] => {
    const { detail, duration, startTime } = entry as PerformanceEntry & Told;
    const type = kinds[detail?.kind ?? -1];
    return type === undefined ? [] : [{ type, seconds: duration / 1000, atMs: startTime }];
  };
}
