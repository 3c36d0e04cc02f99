// What HTTP is used for, one scenario for each path, asked for from outside: the app is client and server.
const http = require("node:http");
const express = require("express");

const app = express();
app.use(express.text());

const get = (path, options = {}) =>
  new Promise((resolve) => {
    const request = http.request(url() + path, options, (response) => {
      response.resume().on("end", resolve).on("error", resolve);
    });
    request.on("error", resolve).end(options.body);
  });

const scenarios = {
  "keep-alive": async () => {
    const agent = new http.Agent({ keepAlive: true });
    await get("/at/1", { agent });
    await get("/at/2", { agent });
    agent.destroy();
  },
  head: () => get("/at/head", { method: "HEAD" }),
  post: () =>
    get("/take", { method: "POST", headers: { "content-type": "text/plain" }, body: "body" }),
  "put-by-fetch": () => fetch(`${url()}/take`, { method: "PUT", body: "body" }),
  "not-found": () => get("/nowhere"),
  failing: () => fetch(`${url()}/failing`),
  redirect: async () => (await fetch(`${url()}/redirect`)).text(),
  refused: () => get("", { port: 9 }),
  reset: () => get("/reset"),
  cut: () => get("/cut"),
  "fetch-reset": () => fetch(`${url()}/reset`).catch(() => {}),
  given_up: async () => {
    const request = http.get(`${url()}/slow`).on("error", () => {});
    await new Promise((resolve) => setTimeout(resolve, 50));
    request.destroy();
    await new Promise((resolve) => request.on("close", resolve));
  },
  "fetch-given-up": async () => {
    const signal = AbortSignal.timeout(50);
    await fetch(`${url()}/slow`, { signal }).catch(() => {});
  },
  odd: () => fetch(`${url()}/take`, { method: "PROPFIND" }),
  user: () => get("/at/user", { auth: "me:secret", headers: { "user-agent": "shop/1.0" } }),
  proxied: () =>
    get("/at/proxied", {
      headers: {
        "x-forwarded-for": "203.0.113.7, 10.0.0.1",
        "x-forwarded-host": "shop.example",
        "x-forwarded-proto": "https",
      },
    }),
  upgrade: () =>
    new Promise((resolve) => {
      http
        .get(`${url()}/chat`, { headers: { connection: "Upgrade", upgrade: "chat" } })
        .on("upgrade", (_response, socket) => resolve(void socket.destroy()));
    }),
};

app.get("/run/:scenario", async (request, response) => {
  await scenarios[request.params.scenario]();
  response.end();
});
app.get("/at/:place", (_request, response) => response.send("there"));
app.all("/take", (request, response) => response.send(request.body));
app.get("/failing", () => {
  throw new Error("as asked");
});
app.get("/redirect", (_request, response) => response.redirect("/at/end?token=abc"));
app.get("/reset", (request) => void request.socket.destroy());
app.get("/cut", (request, response) => {
  response.write("begun");
  setTimeout(() => request.socket.destroy(), 20);
});
app.get("/slow", () => {});
// oxlint-disable-next-line no-unused-vars
app.use((_error, _request, response, _next) => response.status(500).end());

const server = http.createServer(app);
server.on("upgrade", (_request, socket) => {
  socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n");
  socket.on("error", () => {});
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`listening on ${url()}\n`));

function url() {
  return `http://127.0.0.1:${server.address().port}`;
}
