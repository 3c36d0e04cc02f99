// One request that goes through everything the web scenario is about. Knows nothing of OpenTelemetry.
/* oxlint-disable no-console */
module.exports = function serve({ express, http, pino, winston, undici }) {
  const pinoLog = pino();
  const winstonLog = winston.createLogger({ transports: [new winston.transports.Console()] });
  const app = express();
  const items = express.Router();
  items.get("/:id", async (request, response) => {
    pinoLog.child({ part: "items" }).warn({ id: request.params.id }, "from pino");
    winstonLog.info("from winston", { id: request.params.id });
    winstonLog.debug("below winston's level");
    console.error("from %s", "console");
    const base = `http://127.0.0.1:${server.address().port}`;
    await fetch(`${base}/by-fetch?token=abc`).then((answer) => answer.text());
    await undici.request(`${base}/by-undici`).then((answer) => answer.body.text());
    await new Promise((resolve, reject) => {
      http
        .get(`${base}/by-http`, (answer) => answer.resume().on("end", resolve))
        .on("error", reject);
    });
    response.json({ ok: true });
  });
  app.use((_request, _response, next) => setImmediate(() => next()));
  app.use("/items", items);
  app.get("/fail", () => {
    throw new Error("as asked");
  });
  app.get("/:way", (_request, response) => response.send("plain"));
  // oxlint-disable-next-line no-unused-vars
  app.use((error, _request, response, _next) => response.status(500).send(error.message));
  const server = app.listen(0, "127.0.0.1", () => {
    process.stdout.write(`listening on http://127.0.0.1:${server.address().port}\n`);
  });
};
