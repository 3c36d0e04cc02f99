// An app that does it all in the wrong order: another SDK first, then a library, then sonde.
const { trace } = require("@opentelemetry/api");

if (process.argv[2] === "provider") {
  const { TracerProvider } = require("@opentelemetry/sdk-trace");
  trace.setGlobalTracerProvider(new TracerProvider());
}
if (process.argv[2] === "library") {
  require("pg");
  require("express4");
}
require("sonde").start();
require("sonde").start();
process.stdout.write("runs\n");
