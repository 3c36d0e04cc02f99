// The first of three: a trip is a flight and what the hotel costs. Express; asks flights and prices at once.
import express from "express";
import pino from "pino";

const { FLIGHTS_URL: flights, PRICES_URL: prices } = process.env;
const log = pino();
const app = express();

app.get("/trips/:city", async (request, response) => {
  const city = encodeURIComponent(request.params.city);
  const [flight, hotel] = await Promise.all([
    getJson(`${flights}/flights/${city}`),
    getJson(`${prices}/prices/hotel`),
  ]);
  if (!flight) {
    log.warn({ city }, "nobody flies there");
    response.status(404).json({ error: "nobody flies there" });
    return;
  }
  response.json({ ...flight, total: flight.price + hotel.price });
});

/** Undefined if there is no such thing. */
async function getJson(url) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2000) });
  if (answer.status === 404) return undefined;
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.json();
}

const server = app.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? "127.0.0.1", () => {
  const { address, port } = server.address();
  process.stdout.write(`listening on http://${address}:${port}\n`);
});
