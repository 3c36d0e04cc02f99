// OpenTelemetry as its own documentation assembles it, preloaded in the place of sonde/register: what ours
// is compared with. The instrumentations have the options that ours have.
const { context } = require("@opentelemetry/api");
const { isTracingSuppressed } = require("@opentelemetry/core");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-http");
const {
  ExpressInstrumentation,
  ExpressLayerType,
} = require("@opentelemetry/instrumentation-express");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
const { PinoInstrumentation } = require("@opentelemetry/instrumentation-pino");
const { RuntimeNodeInstrumentation } = require("@opentelemetry/instrumentation-runtime-node");
const { UndiciInstrumentation } = require("@opentelemetry/instrumentation-undici");
const { NodeSDK } = require("@opentelemetry/sdk-node");

const isOwn = () => isTracingSuppressed(context.active());
const sdk = new NodeSDK({
  traceExporter: new OTLPTraceExporter(),
  instrumentations: [
    new HttpInstrumentation({ ignoreOutgoingRequestHook: isOwn }),
    new UndiciInstrumentation({ ignoreRequestHook: isOwn }),
    new ExpressInstrumentation({ ignoreLayersType: Object.values(ExpressLayerType) }),
    new PinoInstrumentation(),
    new RuntimeNodeInstrumentation(),
  ],
});
sdk.start();

process.once("SIGTERM", () => {
  void sdk.shutdown().then(() => process.kill(process.pid, "SIGTERM"));
});
