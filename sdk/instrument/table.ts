// Everything that is instrumented, one entry each, and what has to be loaded for it. Adding one is an
// entry here and its name in the settings.

import type { InstrumentationName, Settings } from "../settings.ts";
import { isScrape } from "../export/prometheus.ts";
import { load } from "../packages.ts";
import { isSuppressed } from "../trace/context.ts";
import { patchBuiltins } from "./builtins.ts";
import { traceHttpClients } from "./http-client.ts";
import { traceHttp2Clients } from "./http2-client.ts";
import { traceHttp2Servers } from "./http2-server.ts";
import { traceHttpServers } from "./http-server.ts";
import { libraries } from "./libraries.ts";
import { bridgeBunyan } from "./logs/bunyan.ts";
import { sendConsoleLogs } from "./logs/console.ts";
import { bridgePino } from "./logs/pino.ts";
import { bridgeWinston } from "./logs/winston.ts";
import { isNestRunning, noteNestErrors } from "./nest.ts";
import { nameExpressRoutes, watchFirstRoute } from "./routes/express.ts";
import { nameFastifyRoutes } from "./routes/fastify.ts";
import { nameHapiRoutes } from "./routes/hapi.ts";
import { nameKoaRoutes } from "./routes/koa.ts";
import { traceUndici } from "./undici.ts";

export interface Instrumentation {
  readonly name: InstrumentationName;
  /** The only engine that it is for; the other has another of the same name, or none. */
  readonly engine?: Settings["engine"];
  /** Packages whose first load starts it; without any it starts with the SDK. */
  readonly libraries?: readonly string[];
  /** Of the libraries, where there is no package of OpenTelemetry that says so. */
  readonly versions?: string;
  /** At the SDK's start, where the app is a bundle, in which nobody sees its libraries being loaded. */
  readonly startInBundle?: () => void;
  /** For libraries that tell of themselves: at the SDK's start, so that bundled ones are heard, too. */
  subscribe?(): void;
  /**
   * Its module hooks must be in place when this returns; what it returns is of no interest. The version is
   * that of the library which is about to be loaded, "" for none.
   */
  start(settings: Settings, version: string): unknown;
  /** Of libraries that may be ES modules, whose imports nobody tells of: whether the app has begun to run them. */
  readonly isRunning?: () => boolean;
  /** Called with what a library exports, whenever it is asked for. */
  loaded?(exports: unknown, settings: Settings): void;
}

export const instrumentations: readonly Instrumentation[] = [
  {
    name: "http",
    engine: "sonde",
    start() {
      traceHttpServers();
      traceHttpClients();
      traceHttp2Clients();
      traceHttp2Servers();
    },
  },
  { name: "undici", engine: "sonde", start: traceUndici },
  {
    name: "http",
    engine: "opentelemetry",
    start() {
      const { context } = load("@opentelemetry/api");
      const { HttpInstrumentation } = load("@opentelemetry/instrumentation-http");
      const instrumentation = new HttpInstrumentation({
        ignoreIncomingRequestHook: isScrape,
        // Without it a request that is not traced would still be counted.
        ignoreOutgoingRequestHook: () => isSuppressed(context.active()),
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
      const { UndiciInstrumentation } = load("@opentelemetry/instrumentation-undici");
      return new UndiciInstrumentation({
        ignoreRequestHook: () => isSuppressed(context.active()),
      });
    },
  },
  { name: "fastify", start: nameFastifyRoutes },
  { name: "console", start: sendConsoleLogs },
  { name: "runtime-node", engine: "sonde", start() {} }, // read by what collects metrics
  {
    name: "runtime-node",
    engine: "opentelemetry",
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
    versions: ">=4.0.0 <6",
    startInBundle: watchFirstRoute,
    start() {},
    loaded: nameExpressRoutes,
  },
  {
    name: "koa",
    engine: "sonde",
    libraries: ["koa"],
    versions: ">=2.0.0 <4",
    start() {},
    loaded: nameKoaRoutes,
  },
  {
    name: "hapi",
    engine: "sonde",
    libraries: ["@hapi/hapi"],
    versions: ">=17.0.0 <22",
    start() {},
    loaded: nameHapiRoutes,
  },
  {
    name: "nestjs-core",
    engine: "sonde",
    libraries: ["@nestjs/core"],
    versions: ">=4.0.0 <13",
    start() {},
    isRunning: isNestRunning,
    loaded: noteNestErrors,
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
    name: "koa",
    engine: "opentelemetry",
    libraries: ["koa"],
    start() {
      const { KoaInstrumentation, KoaLayerType } = load("@opentelemetry/instrumentation-koa");
      return new KoaInstrumentation({ ignoreLayersType: [KoaLayerType.MIDDLEWARE] });
    },
  },
  {
    name: "hapi",
    engine: "opentelemetry",
    libraries: ["@hapi/hapi"],
    start() {
      const { HapiInstrumentation } = load("@opentelemetry/instrumentation-hapi");
      return new HapiInstrumentation();
    },
  },
  {
    name: "nestjs-core",
    engine: "opentelemetry",
    libraries: ["@nestjs/core"],
    start() {
      const { NestInstrumentation } = load("@opentelemetry/instrumentation-nestjs-core");
      return new NestInstrumentation();
    },
  },
  ...libraries,
  { name: "pino", libraries: ["pino"], start() {}, loaded: bridgePino },
  { name: "winston", libraries: ["winston"], start() {}, loaded: bridgeWinston },
  { name: "bunyan", libraries: ["bunyan"], start() {}, loaded: bridgeBunyan },
];
