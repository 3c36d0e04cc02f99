void require("./app.cjs")({
  ioredis: require("ioredis"),
  knex: require("knex"),
  pg: require("pg"),
  redis: require("redis"),
});
