// Commands of Redis, told by the clients themselves: ioredis since 5.11, redis since 5.12. OpenTelemetry's patches
// would count a command twice that waited for its connection, and tell of those that make the connection.

import type { Span } from "@opentelemetry/api";
import { load } from "../packages.ts";
import { traceChannel } from "./channel.ts";

interface Place {
  readonly database?: number | string;
  readonly serverAddress?: unknown;
  readonly serverPort?: unknown;
}

interface Command extends Place {
  readonly command: string;
  /** The clients leave out most values, but not those of EVAL or CONFIG SET. */
  readonly args: readonly unknown[];
  /** Within one of these it has no span of its own. */
  readonly batchMode?: string;
}

interface Batch extends Place {
  readonly batchMode: string;
  readonly batchSize: number;
}

/** Of the client itself, while it connects. */
const ofConnecting = new Set(["AUTH", "CLIENT", "HELLO", "INFO", "SELECT"]);

export function traceRedis(client: "ioredis" | "node-redis"): void {
  const { SpanKind, trace } = load("@opentelemetry/api");
  const tracer = trace.getTracer("sonde/redis");
  const start = (name: string, place: Place, attributes: Record<string, string | number>): Span => {
    const { database, serverAddress, serverPort } = place;
    return tracer.startSpan(name, {
      kind: SpanKind.CLIENT,
      attributes: {
        "db.system.name": "redis",
        "db.operation.name": name,
        ...attributes,
        ...(database === undefined ? {} : { "db.namespace": String(database) }),
        ...(typeof serverAddress === "string" ? { "server.address": serverAddress } : {}),
        ...(typeof serverPort === "number" ? { "server.port": serverPort } : {}),
      },
    });
  };
  traceChannel<Command>(`${client}:command`, {
    start(told) {
      const name = told.command.toUpperCase();
      if (told.batchMode !== undefined || ofConnecting.has(name)) return undefined;
      const args = client === "node-redis" ? told.args.slice(1) : told.args;
      return start(name, told, { "db.query.text": describeCommand(name, args) });
    },
    describeError,
  });
  traceChannel<Batch>(`${client}:batch`, {
    start(told) {
      return start(told.batchMode, told, { "db.operation.batch.size": told.batchSize });
    },
    describeError,
  });
}

/** `WRONGTYPE Operation against …`; what is quoted may be a value. */
function describeError(error: unknown): { type: string; message: string } {
  if (!(error instanceof Error)) return { type: "_OTHER", message: "" };
  const code = /^[A-Z]{3,}(?= )/.exec(error.message)?.[0];
  const message = error.message.replace(/, with args beginning with:.*/s, "");
  return {
    type: code ?? error.constructor.name,
    message: message.replaceAll(/'[^']*'|"[^"]*"|`[^`]*`/g, "?"),
  };
}

/** Commands whose first argument is a key, or a channel; those that are not known show nothing. */
const hasKey = new RegExp(
  `^(${[
    "append|bit|bl|br|bz|copy|decr|del$|dump|exists|expire|geo|get|h(?!ello)|incr|json\\.",
    "l(?!atency|astsave|olwut)|mget|mset|persist|pexpire|pf|psetex|pttl|publish|r?pop|rpush",
    "rpoplpush|rename|restore|s(add|card|diff|et|inter|ismember|members|mismember|move|ort|pop)",
    "s(publish|randmember|rem|scan|trlen|ubscribe|union)|touch|ts\\.|ttl|type|unlink|unsubscribe",
    "x|z",
  ].join("|")})`,
  "i",
);
const mostArguments = 8;

/** `SET greeting ?`: a value may be anything, and so may a script or a password. */
export function describeCommand(name: string, given: readonly unknown[]): string {
  const shown = given.slice(0, mostArguments).map((value, index) => {
    const isKey = index === 0 && hasKey.test(name);
    return isKey && (typeof value === "string" || Buffer.isBuffer(value)) ? value.toString() : "?";
  });
  if (given.length > mostArguments) shown.push("…");
  return [name, ...shown].join(" ");
}
