const name = process.argv[2];
const router = name === "koa" ? require("@koa/router") : undefined;
const client = name === "socket.io" ? require("socket.io-client") : undefined;

void require("./app.cjs")[name](require(name), { router }, client);
