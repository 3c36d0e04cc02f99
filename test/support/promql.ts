// Asks a Prometheus, or what answers like one.

import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";
import { until } from "./until.ts";

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** Each series with its labels. */
export async function query(url: string, promql: string): Promise<readonly Series[]> {
  // VictoriaMetrics would answer from what it has cached.
  const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(promql)}&nocache=1`);
  const { data, error } = (await answer.json()) as Answer;
  if (!data) throw new Error(`${promql}: ${error}`);
  return data.result;
}

interface Answer {
  readonly data?: { readonly result: readonly Series[] };
  readonly error?: string;
}

export interface Expected {
  /** The label that tells its series apart. */
  readonly by?: string;
  /** By the value of that label; of what has none, by the empty text. */
  readonly is: Readonly<Record<string, number>>;
  /** What else to show where it is not. */
  readonly why?: () => string;
}

/** Waits until exactly that is answered. */
export async function expectAnswer(url: string, promql: string, expected: Expected): Promise<void> {
  const { by = "", is, why = () => "" } = expected;
  let last: Record<string, number> = {};
  try {
    await until(promql, async () => {
      const found = await query(url, promql);
      last = Object.fromEntries(
        found.map(({ metric, value }) => [metric[by] ?? "", Number(value[1])]),
      );
      return isDeepStrictEqual(last, is);
    });
  } catch (error) {
    if (error instanceof Error && error.cause) throw error;
    expect(last, `${promql} ${why()}`).toEqual(is);
  }
}
