import apps from "./app.cjs";

const framework = process.argv[2];
const packages = {
  express: async () => [(await import("express")).default],
  express4: async () => [(await import("express4")).default],
  koa: async () => [(await import("koa")).default, (await import("@koa/router")).default],
  fastify: async () => [(await import("fastify")).default],
  hapi: async () => [await import("@hapi/hapi")],
  async nest() {
    await import("reflect-metadata");
    return [await import("@nestjs/common"), await import("@nestjs/core")];
  },
};
void apps[framework.replace("express4", "express")](...(await packages[framework]()));
