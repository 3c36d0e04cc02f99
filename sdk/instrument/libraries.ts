// The libraries that OpenTelemetry's own instrumentations know, each loaded when the app first loads its
// library. Their options: one span for what the app asked for and none for what is inside of it, and no
// values, whether in SQL, in commands or in documents.

import type { Span } from "@opentelemetry/api";
import { load, loadOwn } from "../packages.ts";
import { traceGraphql } from "./graphql.ts";
import { noteMongooseCreating, traceMongodb } from "./mongo.ts";
import { keepValuesOut } from "./quoted.ts";
import { describeCommand, traceRedis } from "./redis.ts";
import { operationOf, scrubMysql, scrubSql } from "./sql.ts";
import type { Instrumentation } from "./table.ts";

export const libraries: readonly Instrumentation[] = [
  {
    name: "pg",
    libraries: ["pg", "pg-pool"],
    start() {
      const { PgInstrumentation } = load("@opentelemetry/instrumentation-pg");
      return new PgInstrumentation({
        // A connection out of the pool is no news.
        ignoreConnectSpans: true,
        requestHook(span, { query, connection }) {
          describeSql(span, query.text, { namespace: connection.database, name: query.name });
          keepValuesOut(span);
        },
      });
    },
  },
  {
    name: "mysql2",
    libraries: ["mysql2"],
    start() {
      const { MySQL2Instrumentation } = load("@opentelemetry/instrumentation-mysql2");
      return new MySQL2Instrumentation({ maskStatement: true, maskStatementHook: scrubMysql });
    },
  },
  {
    name: "knex",
    libraries: ["knex"],
    start() {
      const { KnexInstrumentation } = load("@opentelemetry/instrumentation-knex");
      return new KnexInstrumentation();
    },
  },
  {
    name: "mongodb",
    libraries: ["mongodb"],
    start: traceMongodb,
  },
  {
    name: "mongoose",
    libraries: ["mongoose"],
    start() {
      const { MongooseInstrumentation } = load("@opentelemetry/instrumentation-mongoose");
      // Mongoose's span says all that the driver's would say, and of which model.
      return new MongooseInstrumentation({
        suppressInternalInstrumentation: true,
        dbStatementSerializer: (operation) => operation,
      });
    },
    loaded: noteMongooseCreating,
  },
  {
    name: "redis",
    libraries: ["redis", "@redis/client"],
    subscribe: () => traceRedis("node-redis"),
    start(_settings, version) {
      if (isAtLeast(version, "5.12")) return undefined;
      const { RedisInstrumentation } = load("@opentelemetry/instrumentation-redis");
      return new RedisInstrumentation({ dbStatementSerializer: describeCommand });
    },
  },
  {
    name: "ioredis",
    libraries: ["ioredis"],
    subscribe: () => traceRedis("ioredis"),
    start(_settings, version) {
      if (isAtLeast(version, "5.11")) return undefined;
      const { IORedisInstrumentation } = load("@opentelemetry/instrumentation-ioredis");
      return new IORedisInstrumentation({
        dbStatementSerializer: describeCommand,
        requireParentSpan: false, // as with the other databases
      });
    },
  },
  {
    name: "memcached",
    libraries: ["memcached"],
    start() {
      const { MemcachedInstrumentation } = load("@opentelemetry/instrumentation-memcached");
      return new MemcachedInstrumentation({ enhancedDatabaseReporting: false });
    },
  },
  {
    name: "kafkajs",
    libraries: ["kafkajs"],
    start() {
      const { KafkaJsInstrumentation } = load("@opentelemetry/instrumentation-kafkajs");
      return new KafkaJsInstrumentation();
    },
  },
  {
    name: "amqplib",
    libraries: ["amqplib"],
    start() {
      const { AmqplibInstrumentation } = load("@opentelemetry/instrumentation-amqplib");
      return new AmqplibInstrumentation();
    },
  },
  {
    name: "socket.io",
    libraries: ["socket.io"],
    start() {
      const { SocketIoInstrumentation } = load("@opentelemetry/instrumentation-socket.io");
      return new SocketIoInstrumentation({
        traceReserved: false,
        onIgnoreEventList: ["connect", "connection"], // as the reserved ones are
      });
    },
    loaded(exports, { engine }) {
      keepListenersRemovable(exports);
      if (engine === "sonde") loadOwn("./instrument/sockets").countSocketIo(exports);
    },
  },
  {
    name: "ws",
    engine: "sonde",
    libraries: ["ws"],
    versions: ">=7.0.0 <9",
    start() {},
    loaded: (exports) => loadOwn("./instrument/sockets").countWebSockets(exports),
  },
  {
    name: "bullmq",
    engine: "sonde",
    libraries: ["bullmq"],
    versions: ">=3.0.0",
    start() {},
    loaded(exports, { queueMetrics }) {
      if (queueMetrics) loadOwn("./instrument/queues").countJobs(exports);
    },
  },
  {
    name: "grpc",
    libraries: ["@grpc/grpc-js"],
    start() {
      const { GrpcInstrumentation } = load("@opentelemetry/instrumentation-grpc");
      // What OTLP/gRPC exporters send, ours or the app's, is no traffic of the app.
      return new GrpcInstrumentation({
        ignoreGrpcMethods: [/^\/?opentelemetry\.proto\.collector\./],
      });
    },
  },
  {
    name: "graphql",
    libraries: ["graphql"],
    subscribe: traceGraphql,
    start(_settings, version) {
      if (isAtLeast(version, "17")) return undefined;
      const { GraphQLInstrumentation } = load("@opentelemetry/instrumentation-graphql");
      return new GraphQLInstrumentation({ allowValues: false, ignoreResolveSpans: true });
    },
  },
  {
    name: "aws-sdk",
    libraries: [
      "@aws-sdk/middleware-stack",
      "@aws-sdk/smithy-client",
      "@smithy/core",
      "@smithy/middleware-stack",
      "@smithy/smithy-client",
    ],
    start() {
      const { AwsInstrumentation } = load("@opentelemetry/instrumentation-aws-sdk");
      // Its HTTP requests are a detail, and their URLs are signed.
      return new AwsInstrumentation({ suppressInternalInstrumentation: true });
    },
  },
];

interface Emitter {
  on: (this: Emitter, event: string, listener: (...args: unknown[]) => void) => unknown;
  rawListeners?(event: string): readonly { listener?: unknown }[];
}

const kept = new WeakSet<Emitter>();

/** OpenTelemetry's patch puts a function of its own in a listener's place, which `off` then does not find. */
function keepListenersRemovable(exports: unknown): void {
  const { Namespace, Server, Socket } = exports as Record<string, { prototype?: Emitter }>;
  for (const prototype of [Namespace, Server, Socket].map((one) => one?.prototype)) {
    if (!prototype || !Object.hasOwn(prototype, "on") || kept.has(prototype)) continue;
    kept.add(prototype);
    const { on } = prototype;
    prototype.on = function (event, listener) {
      const result = on.call(this, event, listener);
      const put = this.rawListeners?.(event).at(-1);
      // By this Node itself knows a listener that is wrapped, as by `once`.
      if (put && put !== listener && put.listener === undefined) put.listener = listener;
      return result;
    };
  }
}

interface Target {
  readonly namespace: string | undefined;
  /** Of a prepared statement. */
  readonly name: string | undefined;
}

/** By the conventions a span is named after its operation and what it works on. */
function describeSql(span: Span, text: unknown, { namespace, name }: Target): void {
  if (typeof text !== "string") return;
  const { operation, collection } = operationOf(text);
  const target = collection ?? namespace;
  const summary = target === undefined ? operation : `${operation} ${target}`;
  span.updateName(name ?? summary);
  span.setAttributes({
    "db.operation.name": operation,
    "db.query.text": scrubSql(text),
    "db.query.summary": summary,
    ...(collection === undefined ? {} : { "db.collection.name": collection }),
  });
}

function isAtLeast(version: string, least: string): boolean {
  return version.localeCompare(least, "en", { numeric: true }) >= 0;
}
