// Notes: express, pino, a database and, if there is one, a cache before it.
import express from "express";
import pino from "pino";
import { openCache } from "./cache.js";
import { openStore } from "./store.js";

const log = pino();
const store = await openStore(process.env.DATABASE_URL);
const cache = await openCache(process.env.REDIS_URL);

const app = express();
app.use(express.json({ limit: "10kb" }));

app.post("/notes", async (request, response) => {
  const { text } = request.body ?? {};
  if (typeof text !== "string" || text === "") {
    response.status(400).json({ error: "a note has a text" });
    return;
  }
  const id = await store.add(text);
  log.info({ note: id, length: text.length }, "note added");
  response.status(201).json({ id });
});

app.get("/notes/:id", async (request, response) => {
  const id = Number(request.params.id);
  const note = (await cache.get(`note:${id}`)) ?? (await store.find(id));
  if (!note) {
    log.warn({ note: id }, "no such note");
    response.status(404).json({ error: "no such note" });
    return;
  }
  await cache.set(`note:${id}`, note);
  response.json(note);
});

// Express tells an error handler by its four parameters.
app.use((error, _request, response, _next) => {
  log.error(error, "request failed");
  response.status(error.status ?? 500).json({ error: "that did not work" });
});

const server = app.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? "127.0.0.1", () => {
  const { address, port } = server.address();
  process.stdout.write(`listening on http://${address}:${port}\n`);
});
