// OpenTelemetry's packages, loaded when they are needed. They come in two builds, and each has its own
// copy of everything below it; all of ours are the CommonJS ones, because an instrumentation has to be
// there before the `require` or `import` that asked for its library returns.

import { createRequire } from "node:module";
import type * as grpc from "@grpc/grpc-js";
import type * as api from "@opentelemetry/api";
import type * as core from "@opentelemetry/core";
import type * as exporterPrometheus from "@opentelemetry/exporter-prometheus";
import type * as instrumentationExpress from "@opentelemetry/instrumentation-express";
import type * as instrumentationHttp from "@opentelemetry/instrumentation-http";
import type * as instrumentationPg from "@opentelemetry/instrumentation-pg";
import type * as instrumentationPino from "@opentelemetry/instrumentation-pino";
import type * as instrumentationRedis from "@opentelemetry/instrumentation-redis";
import type * as instrumentationRuntimeNode from "@opentelemetry/instrumentation-runtime-node";
import type * as instrumentationUndici from "@opentelemetry/instrumentation-undici";
import type * as instrumentationWinston from "@opentelemetry/instrumentation-winston";
import type * as otlpTransformer from "@opentelemetry/otlp-transformer";
import type * as propagatorB3 from "@opentelemetry/propagator-b3";
import type * as resources from "@opentelemetry/resources";
import type * as sdkMetrics from "@opentelemetry/sdk-metrics";
import type * as sdkNode from "@opentelemetry/sdk-node";
import type * as sdkTrace from "@opentelemetry/sdk-trace";
import type * as yaml from "yaml";
import type * as configFile from "./config-file.ts";
import type * as jaeger from "./propagate/jaeger.ts";
import type * as ottrace from "./propagate/ottrace.ts";
import type * as xray from "./propagate/xray.ts";
import type * as remote from "./sampling/remote.ts";

interface Packages {
  "@grpc/grpc-js": typeof grpc;
  "@opentelemetry/api": typeof api;
  "@opentelemetry/core": typeof core;
  "@opentelemetry/exporter-prometheus": typeof exporterPrometheus;
  "@opentelemetry/instrumentation-express": typeof instrumentationExpress;
  "@opentelemetry/instrumentation-http": typeof instrumentationHttp;
  "@opentelemetry/instrumentation-pg": typeof instrumentationPg;
  "@opentelemetry/instrumentation-pino": typeof instrumentationPino;
  "@opentelemetry/instrumentation-redis": typeof instrumentationRedis;
  "@opentelemetry/instrumentation-runtime-node": typeof instrumentationRuntimeNode;
  "@opentelemetry/instrumentation-undici": typeof instrumentationUndici;
  "@opentelemetry/instrumentation-winston": typeof instrumentationWinston;
  "@opentelemetry/otlp-transformer": typeof otlpTransformer;
  "@opentelemetry/propagator-b3": typeof propagatorB3;
  "@opentelemetry/resources": typeof resources;
  "@opentelemetry/sdk-metrics": typeof sdkMetrics;
  "@opentelemetry/sdk-node": typeof sdkNode;
  "@opentelemetry/sdk-trace": typeof sdkTrace;
  yaml: typeof yaml;
}

const require = createRequire(import.meta.url);

export function load<Name extends keyof Packages>(name: Name): Packages[Name] {
  return require(name) as Packages[Name]; // what the table above says about each name
}

/** Files of ours that few apps need: each module costs the start about as much as reading all settings. */
interface Own {
  "./config-file": typeof configFile;
  "./propagate/jaeger": typeof jaeger;
  "./propagate/ottrace": typeof ottrace;
  "./propagate/xray": typeof xray;
  "./sampling/remote": typeof remote;
}

export function loadOwn<Name extends keyof Own>(name: Name): Own[Name] {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return require(`${name}.${extension}`) as Own[Name]; // what the table above says about each name
}
