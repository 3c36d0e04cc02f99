// OpenTelemetry's packages, loaded when they are needed. They come in two builds, and each has its own
// copy of everything below it; all of ours are the CommonJS ones, because an instrumentation has to be
// there before the `require` or `import` that asked for its library returns.

import { createRequire } from "node:module";
import type * as grpc from "@grpc/grpc-js";
import type * as api from "@opentelemetry/api";
import type * as core from "@opentelemetry/core";
import type * as exporterPrometheus from "@opentelemetry/exporter-prometheus";
import type * as instrumentationAmqplib from "@opentelemetry/instrumentation-amqplib";
import type * as instrumentationAwsSdk from "@opentelemetry/instrumentation-aws-sdk";
import type * as instrumentationExpress from "@opentelemetry/instrumentation-express";
import type * as instrumentationGraphql from "@opentelemetry/instrumentation-graphql";
import type * as instrumentationGrpc from "@opentelemetry/instrumentation-grpc";
import type * as instrumentationHapi from "@opentelemetry/instrumentation-hapi";
import type * as instrumentationHttp from "@opentelemetry/instrumentation-http";
import type * as instrumentationIoredis from "@opentelemetry/instrumentation-ioredis";
import type * as instrumentationKafkajs from "@opentelemetry/instrumentation-kafkajs";
import type * as instrumentationKnex from "@opentelemetry/instrumentation-knex";
import type * as instrumentationKoa from "@opentelemetry/instrumentation-koa";
import type * as instrumentationMemcached from "@opentelemetry/instrumentation-memcached";
import type * as instrumentationMongodb from "@opentelemetry/instrumentation-mongodb";
import type * as instrumentationMongoose from "@opentelemetry/instrumentation-mongoose";
import type * as instrumentationMysql2 from "@opentelemetry/instrumentation-mysql2";
import type * as instrumentationNestjsCore from "@opentelemetry/instrumentation-nestjs-core";
import type * as instrumentationPg from "@opentelemetry/instrumentation-pg";
import type * as instrumentationRedis from "@opentelemetry/instrumentation-redis";
import type * as instrumentationRuntimeNode from "@opentelemetry/instrumentation-runtime-node";
import type * as instrumentationSocketIo from "@opentelemetry/instrumentation-socket.io";
import type * as instrumentationUndici from "@opentelemetry/instrumentation-undici";
import type * as propagatorB3 from "@opentelemetry/propagator-b3";
import type * as resources from "@opentelemetry/resources";
import type * as sdkMetrics from "@opentelemetry/sdk-metrics";
import type * as sdkNode from "@opentelemetry/sdk-node";
import type * as sdkTrace from "@opentelemetry/sdk-trace";
import type * as yaml from "yaml";
import type * as toJson from "../collector/wire/to-json.ts";
import type * as configFile from "./config-file.ts";
import type * as imports from "./instrument/imports.ts";
import type * as next from "./instrument/next.ts";
import type * as queues from "./instrument/queues.ts";
import type * as sockets from "./instrument/sockets.ts";
import type * as encode from "./metrics/encode.ts";
import type * as host from "./metrics/host.ts";
import type * as openMetrics from "./metrics/open-metrics.ts";
import type * as own from "./metrics/own.ts";
import type * as ofProcess from "./metrics/process.ts";
import type * as runtime from "./metrics/runtime.ts";
import type * as views from "./metrics/views.ts";
import type * as jaeger from "./propagate/jaeger.ts";
import type * as ottrace from "./propagate/ottrace.ts";
import type * as xray from "./propagate/xray.ts";
import type * as reference from "./reference.ts";
import type * as remote from "./sampling/remote.ts";

interface Packages {
  "@grpc/grpc-js": typeof grpc;
  "@opentelemetry/api": typeof api;
  "@opentelemetry/core": typeof core;
  "@opentelemetry/exporter-prometheus": typeof exporterPrometheus;
  "@opentelemetry/instrumentation-amqplib": typeof instrumentationAmqplib;
  "@opentelemetry/instrumentation-aws-sdk": typeof instrumentationAwsSdk;
  "@opentelemetry/instrumentation-express": typeof instrumentationExpress;
  "@opentelemetry/instrumentation-graphql": typeof instrumentationGraphql;
  "@opentelemetry/instrumentation-grpc": typeof instrumentationGrpc;
  "@opentelemetry/instrumentation-hapi": typeof instrumentationHapi;
  "@opentelemetry/instrumentation-http": typeof instrumentationHttp;
  "@opentelemetry/instrumentation-ioredis": typeof instrumentationIoredis;
  "@opentelemetry/instrumentation-kafkajs": typeof instrumentationKafkajs;
  "@opentelemetry/instrumentation-knex": typeof instrumentationKnex;
  "@opentelemetry/instrumentation-koa": typeof instrumentationKoa;
  "@opentelemetry/instrumentation-memcached": typeof instrumentationMemcached;
  "@opentelemetry/instrumentation-mongodb": typeof instrumentationMongodb;
  "@opentelemetry/instrumentation-mongoose": typeof instrumentationMongoose;
  "@opentelemetry/instrumentation-mysql2": typeof instrumentationMysql2;
  "@opentelemetry/instrumentation-nestjs-core": typeof instrumentationNestjsCore;
  "@opentelemetry/instrumentation-pg": typeof instrumentationPg;
  "@opentelemetry/instrumentation-redis": typeof instrumentationRedis;
  "@opentelemetry/instrumentation-runtime-node": typeof instrumentationRuntimeNode;
  "@opentelemetry/instrumentation-socket.io": typeof instrumentationSocketIo;
  "@opentelemetry/instrumentation-undici": typeof instrumentationUndici;
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
  "../collector/wire/to-json": typeof toJson;
  "./config-file": typeof configFile;
  "./instrument/imports": typeof imports;
  "./instrument/next": typeof next;
  "./instrument/queues": typeof queues;
  "./instrument/sockets": typeof sockets;
  "./metrics/encode": typeof encode;
  "./metrics/host": typeof host;
  "./metrics/open-metrics": typeof openMetrics;
  "./metrics/own": typeof own;
  "./metrics/process": typeof ofProcess;
  "./metrics/runtime": typeof runtime;
  "./metrics/views": typeof views;
  "./propagate/jaeger": typeof jaeger;
  "./propagate/ottrace": typeof ottrace;
  "./propagate/xray": typeof xray;
  "./reference": typeof reference;
  "./sampling/remote": typeof remote;
}

export function loadOwn<Name extends keyof Own>(name: Name): Own[Name] {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return require(`${name}.${extension}`) as Own[Name]; // what the table above says about each name
}
