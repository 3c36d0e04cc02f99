import fastify from "fastify";
import serve from "./app.cjs";

await serve(fastify());
