const fastify = require("fastify");

void require("./app.cjs")(fastify());
