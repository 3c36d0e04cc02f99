// Everything that is instrumented, one entry each, and what has to be loaded for it. Adding one is an
// entry here and its name in the settings.

import type { InstrumentationName, Settings } from "../settings.ts";
import { isScrape } from "../export/prometheus.ts";
import { load } from "../packages.ts";
import { sendConsoleLogs } from "./console.ts";
import { patchBuiltins } from "./builtins.ts";
import { traceHttpClients } from "./http-client.ts";
import { traceHttp2Servers } from "./http2-server.ts";
import { traceHttpServers } from "./http-server.ts";
import { nameExpressRoutes } from "./routes/express.ts";
import { nameFastifyRoutes } from "./routes/fastify.ts";
import { nameHapiRoutes } from "./routes/hapi.ts";
import { nameKoaRoutes } from "./routes/koa.ts";
import { traceUndici } from "./undici.ts";
import { sendWinstonLogs } from "./winston.ts";

export interface Instrumentation {
  readonly name: InstrumentationName;
  /** The only engine that it is for; the other has another of the same name, or none. */
  readonly engine?: Settings["engine"];
  /** Packages whose first load starts it; without any it starts with the SDK. */
  readonly libraries?: readonly string[];
  /** Its module hooks must be in place when this returns; what it returns is of no interest. */
  start(): unknown;
  /** Called with what a library exports, once it is loaded. */
  loaded?(exports: unknown): void;
}

export const instrumentations: readonly Instrumentation[] = [
  {
    name: "http",
    engine: "sonde",
    start() {
      traceHttpServers();
      traceHttpClients();
      traceHttp2Servers();
    },
  },
  { name: "undici", engine: "sonde", start: traceUndici },
  {
    name: "http",
    engine: "opentelemetry",
    start() {
      const { context } = load("@opentelemetry/api");
      const { isTracingSuppressed } = load("@opentelemetry/core");
      const { HttpInstrumentation } = load("@opentelemetry/instrumentation-http");
      const instrumentation = new HttpInstrumentation({
        ignoreIncomingRequestHook: isScrape,
        // Without it a request that is not traced would still be counted.
        ignoreOutgoingRequestHook: () => isTracingSuppressed(context.active()),
      });
      patchBuiltins();
      return instrumentation;
    },
  },
  {
    name: "undici",
    engine: "opentelemetry",
    start() {
      const { context } = load("@opentelemetry/api");
      const { isTracingSuppressed } = load("@opentelemetry/core");
      const { UndiciInstrumentation } = load("@opentelemetry/instrumentation-undici");
      return new UndiciInstrumentation({
        ignoreRequestHook: () => isTracingSuppressed(context.active()),
      });
    },
  },
  { name: "fastify", start: nameFastifyRoutes },
  { name: "console", start: sendConsoleLogs },
  {
    name: "runtime-node",
    start() {
      const { metrics } = load("@opentelemetry/api");
      const { RuntimeNodeInstrumentation } = load("@opentelemetry/instrumentation-runtime-node");
      // It makes its instruments only when it is told of a provider.
      new RuntimeNodeInstrumentation().setMeterProvider(metrics.getMeterProvider());
    },
  },
  {
    name: "express",
    engine: "sonde",
    libraries: ["express", "router"],
    start() {},
    loaded: nameExpressRoutes,
  },
  {
    name: "koa",
    engine: "sonde",
    libraries: ["koa"],
    start() {},
    loaded: nameKoaRoutes,
  },
  {
    name: "hapi",
    engine: "sonde",
    libraries: ["@hapi/hapi"],
    start() {},
    loaded: nameHapiRoutes,
  },
  {
    name: "express",
    engine: "opentelemetry",
    libraries: ["express"],
    start() {
      const { ExpressInstrumentation, ExpressLayerType } = load(
        "@opentelemetry/instrumentation-express",
      );
      // For the route alone: a span for every middleware is noise that costs more than the request's.
      return new ExpressInstrumentation({ ignoreLayersType: Object.values(ExpressLayerType) });
    },
  },
  {
    name: "pg",
    libraries: ["pg", "pg-pool"],
    start() {
      const { PgInstrumentation } = load("@opentelemetry/instrumentation-pg");
      return new PgInstrumentation();
    },
  },
  {
    name: "redis",
    libraries: ["redis", "@redis/client"],
    start() {
      const { RedisInstrumentation } = load("@opentelemetry/instrumentation-redis");
      return new RedisInstrumentation();
    },
  },
  {
    name: "pino",
    libraries: ["pino"],
    start() {
      const { PinoInstrumentation } = load("@opentelemetry/instrumentation-pino");
      return new PinoInstrumentation();
    },
  },
  {
    name: "winston",
    libraries: ["winston"],
    start() {
      const { WinstonInstrumentation } = load("@opentelemetry/instrumentation-winston");
      return new WinstonInstrumentation({ disableLogSending: true }); // it would need one more package
    },
    loaded: sendWinstonLogs,
  },
];
