// Each library at work in this process alone, knowing nothing of OpenTelemetry.
const events = require("node:events");

const listen = async (server) => {
  await events.once(server.listen(0, "127.0.0.1"), "listening");
  return `http://127.0.0.1:${server.address().port}`;
};

module.exports = {
  async koa(koa, { router: Router }) {
    const app = new koa();
    const router = new Router();
    router.get("/items/:id", (context) => (context.body = { id: context.params.id }));
    app.use((_context, next) => next()).use(router.routes());
    const server = require("node:http").createServer(app.callback());
    await (await fetch(`${await listen(server)}/items/5`)).text();
    server.close();
  },
  async "@hapi/hapi"(hapi) {
    const server = hapi.server({ port: 0, host: "127.0.0.1" });
    server.route({ method: "GET", path: "/items/{id}", handler: (request) => request.params });
    server.ext("onPreHandler", (_request, toolkit) => toolkit.continue);
    await server.start();
    await (await fetch(`${server.info.uri}/items/5`)).text();
    await server.stop();
  },
  async "@grpc/grpc-js"(grpc) {
    const serialize = (value) => Buffer.from(JSON.stringify(value));
    const deserialize = (bytes) => JSON.parse(bytes.toString());
    const method = (path) => ({
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: serialize,
      requestDeserialize: deserialize,
      responseSerialize: serialize,
      responseDeserialize: deserialize,
    });
    const service = { Say: method("/test.Greeter/Say"), Fail: method("/test.Greeter/Fail") };
    const server = new grpc.Server();
    server.addService(service, {
      Say: (call, done) => done(null, { said: call.request.word }),
      Fail: (_call, done) => done({ code: grpc.status.NOT_FOUND, details: "no such word" }),
    });
    const port = await new Promise((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    const Client = grpc.makeGenericClientConstructor(service, "Greeter");
    const client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    const call = (name) =>
      new Promise((resolve) =>
        client[name]({ word: "hello" }, (error, answer) => resolve(error ?? answer)),
      );
    process.stdout.write(`${(await call("Say")).said} ${(await call("Fail")).code}\n`);
    client.close();
    await new Promise((resolve) => server.tryShutdown(resolve));
  },
  async graphql({ graphql, buildSchema }) {
    const schema = buildSchema("type Query { hello(name: String): String, bad: String }");
    const rootValue = {
      hello: ({ name }) => `hello ${name}`,
      bad: async () => {
        throw new Error("as asked");
      },
    };
    const ask = async (source) => {
      const { data, errors = [] } = await graphql({ schema, source, rootValue });
      process.stdout.write(`${JSON.stringify(data)} ${errors.length}\n`);
    };
    await ask('query Greet { hello(name: "secret") }');
    await ask("{ bad }");
  },
  async "socket.io"({ Server }, _router, { io }) {
    const http = require("node:http").createServer();
    const server = new Server(http);
    server.on("connection", (socket) => {
      const listener = (word, answer) => answer(`${word} back`);
      socket.on("say", listener);
      socket.on("removed", listener);
      socket.off("removed", listener);
      process.stdout.write(`${socket.listenerCount("removed")} listeners\n`);
    });
    const client = io(await listen(http), { transports: ["websocket"] });
    process.stdout.write(`${await client.emitWithAck("say", "hello")}\n`);
    client.close();
    await server.close();
  },
  async kafkajs({ Kafka, logLevel }) {
    const kafka = new Kafka({
      brokers: ["127.0.0.1:9"],
      retry: { retries: 0 },
      logLevel: logLevel.NOTHING,
    });
    const producer = kafka.producer();
    await producer.connect().catch((error) => process.stdout.write(`${error.name}\n`));
    const consumer = kafka.consumer({ groupId: "test" });
    process.stdout.write(`${typeof producer.send} ${typeof consumer.run}\n`);
  },
};
