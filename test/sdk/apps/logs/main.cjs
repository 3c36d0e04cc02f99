require("./app.cjs")({
  bunyan: require("bunyan"),
  pino: require("pino"),
  trace: require("@opentelemetry/api").trace,
  winston: require("winston"),
});
