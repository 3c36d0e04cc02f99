// Who has something to tell once the app has loaded what it is of; asked whenever metrics are collected.

import type { MetricData } from "@opentelemetry/sdk-metrics";
import type { Reader } from "./reader.ts";

type Source = (reader: Reader) => readonly MetricData[];

/** By the name of its scope, after `sonde/`. As many as we have such instrumentations. */
export const lateSources = new Map<string, Source>();
