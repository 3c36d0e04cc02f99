// Finds its provider as @opentelemetry/api-logs does, asking for version 1 of what it gets.
const provider = globalThis[Symbol.for("io.opentelemetry.js.api.logs")](1);
provider.getLogger("old", "0.1.0").emit({ body: "old", severityNumber: 9 });
