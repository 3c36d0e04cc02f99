const apps = require("./app.cjs");

const framework = process.argv[2];
const packages = {
  express: () => [require("express")],
  express4: () => [require("express4")],
  koa: () => [require("koa"), require("@koa/router")],
  fastify: () => [require("fastify")],
  hapi: () => [require("@hapi/hapi")],
  nest() {
    require("reflect-metadata");
    return [require("@nestjs/common"), require("@nestjs/core")];
  },
};
void apps[framework.replace("express4", "express")](...packages[framework]());
