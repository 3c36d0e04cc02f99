// Nest on fastify, from the folder that is given; asks itself three times and ends.
const requireThere = require("node:module").createRequire(`${process.argv[2]}/`);
requireThere("reflect-metadata");
const { Controller, Get, Module } = requireThere("@nestjs/common");
const { NestFactory } = requireThere("@nestjs/core");
const { FastifyAdapter } = requireThere("@nestjs/platform-fastify");

class Items {
  one() {
    return "one";
  }
  fail() {
    throw new Error("as asked");
  }
}
Get(":id")(Items.prototype, "one", Object.getOwnPropertyDescriptor(Items.prototype, "one"));
Get(":id/fail")(Items.prototype, "fail", Object.getOwnPropertyDescriptor(Items.prototype, "fail"));
Controller("items")(Items);
// oxlint-disable-next-line typescript/no-extraneous-class
class App {}
Module({ controllers: [Items] })(App);

async function run() {
  const app = await NestFactory.create(App, new FastifyAdapter(), { logger: false });
  await app.listen(0, "127.0.0.1");
  for (const path of ["/items/5", "/items/5/fail", "/nowhere"]) {
    await (await fetch((await app.getUrl()) + path)).text();
  }
  await app.close();
}
void run();
