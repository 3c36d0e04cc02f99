require("./app.cjs")(
  { threads: require("node:worker_threads"), http: require("node:http") },
  __filename,
);
