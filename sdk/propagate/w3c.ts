// The formats of W3C are OpenTelemetry's own. Imported and not loaded, as all else of theirs is: so only what they
// need of their package gets into the file that every app's start pays for.

export { W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
