// Mounts of express 4 and 5 with the instrumentation on the exports of the library, in this process.

import { createRequire } from "node:module";
import * as http from "node:http";
import { Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import type expressType from "express";
import { expect, test } from "vitest";
import { traceHttpServers } from "../../sdk/instrument/http-server.ts";
import { nameExpressRoutes, watchFirstRoute } from "../../sdk/instrument/routes/express.ts";
import { cleanups } from "./support/http.ts";
import { useTracing } from "./support/tracing.ts";

const require = createRequire(import.meta.url);
const copies = ["express", "express4"] as const;
const load = (name: string) => require(name) as typeof expressType; // express 4 has the same names

const tracing = useTracing(() => {
  traceHttpServers();
  for (const name of copies) {
    nameExpressRoutes(load(name));
    nameExpressRoutes(load(name)); // as after a second require
  }
});

async function routeOf(app: http.RequestListener, path: string): Promise<unknown> {
  const server = http.createServer(app).listen(0, "127.0.0.1");
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // it listens on TCP
  await (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  const [span] = await tracing.spans(1);
  return span?.attributes["http.route"];
}

test.each(copies)(
  "%s: a mount's parameters that its router does not see are in the route",
  async (name) => {
    const express = load(name);
    const app = express();
    const users = express.Router();
    const posts = express.Router();
    posts.get("/:post", (_request, response) => void response.send("ok"));
    users.use("/posts", posts);
    app.use("/tenants/:tenant/users/:user", users);
    expect(await routeOf(app, "/tenants/a%20b/users/7/posts/9")).toBe(
      "/tenants/:tenant/users/:user/posts/:post",
    );
  },
);

test.each(copies)("%s: an app mounted in an app, with a parameter below a name", async (name) => {
  const express = load(name);
  const [app, inner, router] = [express(), express(), express.Router()];
  router.get("/", (_request, response) => void response.send("ok"));
  inner.use("/:version", router);
  app.use("/api", inner);
  expect(await routeOf(app, "/api/v1")).toBe("/api/:version");
});

test.each(copies)(
  "%s: an error answered far from its route does not change the route",
  async (name) => {
    const express = load(name);
    const app = express();
    const router = express.Router();
    router.get("/:id", (_request, _response, next) => next(new Error("as asked")));
    app.use("/shops/:shop", router);
    app.use(((_error, _request, response, _next) => {
      response.status(503).end();
    }) satisfies expressType.ErrorRequestHandler);
    expect(await routeOf(app, "/shops/5/7")).toBe("/shops/:shop/:id");
  },
);

test.each(copies)(
  "%s: several paths for one route are all its route; expressions too",
  async (name) => {
    const express = load(name);
    const app = express();
    app.get(["/a/:id", "/b/:id"], (_request, response) => void response.send("ok"));
    app.get(/^\/x\/(\d+)$/, (_request, response) => void response.send("ok"));
    expect(await routeOf(app, "/b/5")).toBe("/a/:id,/b/:id");
    tracing.reset();
    expect(await routeOf(app, "/x/5")).toBe(String(/^\/x\/(\d+)$/));
  },
);

test.each(copies)("%s: middleware alone has no route, however deep", async (name) => {
  const express = load(name);
  const app = express();
  app.use("/files/:name", (_request, response) => void response.send("ok"));
  expect(await routeOf(app, "/files/secret.txt")).toBeUndefined();
});

test("while the first route is waited for, what others call the route of a request is theirs", () => {
  const { prototype } = http.IncomingMessage;
  watchFirstRoute();
  cleanups.push(() => void Reflect.deleteProperty(prototype, "route"));
  for (const value of ["mine", undefined, Object.create(null, { path: { value: "/" } })]) {
    const request = new http.IncomingMessage(new Socket());
    expect(Reflect.get(request, "route")).toBeUndefined();
    expect(Object.hasOwn(request, "route")).toBe(false);
    Object.assign(request, { route: value as unknown });
    const described = { value: value as unknown, writable: true, enumerable: true };
    expect(Object.getOwnPropertyDescriptor(request, "route")).toMatchObject(described);
  }
  expect(Object.hasOwn(prototype, "route")).toBe(true);
});
