// Short links: an ES module with fastify and the logger that it brings along, which is pino.
import { randomBytes } from "node:crypto";
import fastify from "fastify";

const app = fastify({ logger: true });
const links = new Map();
const mostLinks = 1000;

app.post("/links", {
  schema: {
    body: {
      type: "object",
      required: ["url"],
      properties: { url: { type: "string", format: "uri", maxLength: 2000 } },
    },
  },
  async handler(request, reply) {
    if (links.size >= mostLinks) links.delete(links.keys().next().value);
    const code = randomBytes(4).toString("hex");
    links.set(code, request.body.url);
    request.log.info({ code }, "link made");
    return reply.code(201).send({ code });
  },
});

app.get("/links/:code", async (request, reply) => {
  const url = links.get(request.params.code);
  if (url === undefined) return reply.code(404).send({ error: "no such link" });
  return reply.redirect(url);
});

await app.listen({ port: Number(process.env.PORT ?? 3000), host: process.env.HOST ?? "127.0.0.1" });
const { address, port } = app.server.address();
process.stdout.write(`listening on http://${address}:${port}\n`);
