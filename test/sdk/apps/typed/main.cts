// The same as CommonJS.
type Parts = Readonly<Record<string, unknown>>;

const serve = require("../web/app.cjs") as (parts: Parts) => void;
serve({
  express: require("express") as unknown,
  http: require("node:http") as unknown,
  pino: require("pino") as unknown,
  winston: require("winston") as unknown,
  undici: require("undici") as unknown,
} satisfies Parts);
