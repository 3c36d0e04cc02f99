// OpenTelemetry as its own documentation assembles it, preloaded in the place of sonde/register: what ours
// is compared with. The instrumentations have the options that ours have.
const { context } = require("@opentelemetry/api");
const { isTracingSuppressed } = require("@opentelemetry/core");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-http");
const { BunyanInstrumentation } = require("@opentelemetry/instrumentation-bunyan");
const {
  ExpressInstrumentation,
  ExpressLayerType,
} = require("@opentelemetry/instrumentation-express");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
const { PinoInstrumentation } = require("@opentelemetry/instrumentation-pino");
const { RuntimeNodeInstrumentation } = require("@opentelemetry/instrumentation-runtime-node");
const { UndiciInstrumentation } = require("@opentelemetry/instrumentation-undici");
const { WinstonInstrumentation } = require("@opentelemetry/instrumentation-winston");
const { NodeSDK } = require("@opentelemetry/sdk-node");

const isOwn = () => isTracingSuppressed(context.active());
const sdk = new NodeSDK({
  traceExporter: new OTLPTraceExporter(),
  instrumentations: [
    new HttpInstrumentation({ ignoreOutgoingRequestHook: isOwn }),
    new UndiciInstrumentation({ ignoreRequestHook: isOwn }),
    new ExpressInstrumentation({ ignoreLayersType: Object.values(ExpressLayerType) }),
    new BunyanInstrumentation(),
    new PinoInstrumentation(),
    new RuntimeNodeInstrumentation(),
    new WinstonInstrumentation(),
  ],
});
sdk.start();

process.once("SIGTERM", () => {
  void sdk.shutdown().then(() => process.kill(process.pid, "SIGTERM"));
});
// At a natural end it would not send what it has collected.
process.once("beforeExit", () => void sdk.shutdown());
