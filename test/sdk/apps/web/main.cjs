require("./app.cjs")({
  express: require("express"),
  http: require("node:http"),
  pino: require("pino"),
  winston: require("winston"),
  undici: require("undici"),
});
