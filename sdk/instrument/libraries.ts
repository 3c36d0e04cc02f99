// The libraries that OpenTelemetry's own instrumentations know, each loaded when the app first loads its
// library. Their options: one span for what the app asked for and none for what is inside of it, and no
// values, whether in SQL, in commands or in documents.

import type { Span } from "@opentelemetry/api";
import { load } from "../packages.ts";
import { operationOf, scrubSql } from "./sql.ts";
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
        },
      });
    },
  },
  {
    name: "mysql2",
    libraries: ["mysql2"],
    start() {
      const { MySQL2Instrumentation } = load("@opentelemetry/instrumentation-mysql2");
      return new MySQL2Instrumentation({ maskStatement: true, maskStatementHook: scrubSql });
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
    start() {
      const { MongoDBInstrumentation } = load("@opentelemetry/instrumentation-mongodb");
      return new MongoDBInstrumentation({ enhancedDatabaseReporting: false });
    },
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
  },
  {
    name: "redis",
    libraries: ["redis", "@redis/client"],
    start() {
      const { RedisInstrumentation } = load("@opentelemetry/instrumentation-redis");
      return new RedisInstrumentation({ dbStatementSerializer: describeCommand });
    },
  },
  {
    name: "ioredis",
    libraries: ["ioredis"],
    start() {
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
      return new SocketIoInstrumentation({ traceReserved: false });
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
    start() {
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

/** Commands whose first argument is a key, or a channel; those that are not known show nothing. */
const hasKey =
  /^(append|bit|bl|br|bz|copy|decr|del$|dump|exists|expire|geo|get|h(?!ello)|incr|json\.|l(?!atency|astsave|olwut)|mget|mset|persist|pexpire|pf|psetex|pttl|publish|r?pop|rpush|rpoplpush|rename|restore|s(add|card|diff|et|inter|ismember|members|mismember|move|ort|pop|publish|randmember|rem|scan|trlen|ubscribe|union)|touch|ts\.|ttl|type|unlink|unsubscribe|x|z)/i;
const mostArguments = 8;

/** `SET greeting ?`: a value may be anything, and so may a script or a password. */
export function describeCommand(name: string, given: readonly unknown[]): string {
  const values = given.map((value, index) =>
    index === 0 && hasKey.test(name) && (typeof value === "string" || Buffer.isBuffer(value))
      ? value.toString()
      : "?",
  );
  if (values.length > mostArguments) values.splice(mostArguments, Infinity, "…");
  return [name, ...values].join(" ");
}
