// Starts sonde itself, and another SDK before it if told so.
const { trace } = require("@opentelemetry/api");

if (process.argv[2] === "provider") {
  const { TracerProvider } = require("@opentelemetry/sdk-trace");
  trace.setGlobalTracerProvider(new TracerProvider());
}
require("sonde").start();
require("sonde").start();
process.stdout.write("runs\n");
