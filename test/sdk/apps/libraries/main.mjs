import scenarios from "./app.cjs";

const name = process.argv[2];
const library = await import(name);
const router = name === "koa" ? (await import("@koa/router")).default : undefined;
const client = name === "socket.io" ? await import("socket.io-client") : undefined;

await scenarios[name](library.default ?? library, { router }, client);
