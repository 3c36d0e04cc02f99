// One app for each framework, all with the same places: a parameter, a mount with one, the root of a mount,
// an error, and nothing. Each is given what its import or require has returned.
const http = require("node:http");

function listen(handler) {
  const server = http.createServer(handler).listen(0, "127.0.0.1", () => {
    process.stdout.write(`listening on http://127.0.0.1:${server.address().port}\n`);
  });
}

module.exports = {
  express(express) {
    const app = express();
    const items = express.Router();
    const deep = express.Router({ mergeParams: true });
    app.use((_request, _response, next) => setImmediate(() => next()));
    deep.get("/lines/:line", (request, response) => response.json(request.params));
    deep.get("/", (_request, response) => response.send("root"));
    deep.get("/fail/:how", (_request, _response, next) => next(new Error("as asked")));
    items.get("/:id", (_request, response) => response.send("one"));
    items.use("/:id/orders/:order", deep);
    app.use("/items", items);
    // oxlint-disable-next-line no-unused-vars
    app.use((_error, _request, response, _next) => setImmediate(() => response.status(500).end()));
    listen(app);
  },

  koa(Koa, Router) {
    const app = new Koa();
    const items = new Router({ prefix: "/items" });
    const deep = new Router();
    deep.get("/lines/:line", (context) => void (context.body = context.params));
    deep.get("/", (context) => void (context.body = "root"));
    deep.get("/fail/:how", (context) => context.throw(500, "as asked"));
    items.get("/:id", async (context) => {
      await new Promise((resolve) => setImmediate(resolve));
      context.body = "one";
    });
    items.use("/:id/orders/:order", deep.routes());
    app.silent = true;
    app.use(items.routes());
    listen(app.callback());
  },

  fastify(fastify) {
    const app = fastify();
    app.register(
      async (items) => {
        items.get("/:id", async () => "one");
        items.register(
          async (deep) => {
            deep.get("/lines/:line", async (request) => request.params);
            deep.get("/", async () => "root");
            deep.get("/fail/:how", async () => {
              throw new Error("as asked");
            });
          },
          { prefix: "/:id/orders/:order" },
        );
      },
      { prefix: "/items" },
    );
    void app
      .listen({ port: 0, host: "127.0.0.1" })
      .then((url) => process.stdout.write(`listening on ${url}\n`));
  },

  hapi(hapi) {
    const app = hapi.server({ port: 0, host: "127.0.0.1", debug: false });
    app.route({ method: "GET", path: "/items/{id}", handler: () => "one" });
    const base = "/items/{id}/orders/{order}";
    app.route({ method: "GET", path: `${base}/lines/{line}`, handler: () => "line" });
    app.route({ method: "GET", path: base, handler: () => "root" });
    app.route({
      method: "GET",
      path: `${base}/fail/{how}`,
      handler() {
        throw new Error("as asked");
      },
    });
    void app.start().then(() => process.stdout.write(`listening on ${app.info.uri}\n`));
  },

  async nest({ Controller, Get, Module, Param }, { NestFactory }) {
    // What TypeScript makes of decorators.
    class Items {
      one() {
        return "one";
      }
      root() {
        return "root";
      }
      line(line) {
        return { line };
      }
      fail() {
        throw new Error("as asked");
      }
    }
    const on = (name, path) => {
      Get(path)(Items.prototype, name, Object.getOwnPropertyDescriptor(Items.prototype, name));
    };
    on("one", ":id");
    on("root", ":id/orders/:order");
    on("line", ":id/orders/:order/lines/:line");
    on("fail", ":id/orders/:order/fail/:how");
    Param("line")(Items.prototype, "line", 0);
    Controller("items")(Items);
    // oxlint-disable-next-line typescript/no-extraneous-class
    class App {}
    Module({ controllers: [Items] })(App);
    const app = await NestFactory.create(App, { logger: false });
    await app.listen(0, "127.0.0.1");
    process.stdout.write(`listening on ${await app.getUrl()}\n`);
  },
};
