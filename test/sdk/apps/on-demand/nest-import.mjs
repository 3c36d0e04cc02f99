// Nest on fastify, imported from the folder in which this is started; what fails is the first that it is asked.
import "reflect-metadata";
import { Controller, Get, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { FastifyAdapter } from "@nestjs/platform-fastify";

class Items {
  fail() {
    throw new Error("as asked");
  }
}
Get(":id/fail")(Items.prototype, "fail", Object.getOwnPropertyDescriptor(Items.prototype, "fail"));
Controller("items")(Items);
// oxlint-disable-next-line typescript/no-extraneous-class
class App {}
Module({ controllers: [Items] })(App);

const app = await NestFactory.create(App, new FastifyAdapter(), { logger: false });
await app.listen(0, "127.0.0.1");
await (await fetch(`${await app.getUrl()}/items/5/fail`)).text();
await app.close();
