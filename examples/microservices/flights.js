// The second of three: who flies where. Fastify; asks prices.
import fastify from "fastify";

const app = fastify({ logger: true, disableRequestLogging: true });
const flights = new Map([
  ["lisbon", "TP 553"],
  ["oslo", "SK 674"],
]);

app.get("/flights/:city", async (request, reply) => {
  const { city } = request.params;
  const flight = flights.get(city.toLowerCase());
  if (!flight) return reply.code(404).send({ error: "nobody flies there" });
  const answer = await fetch(`${process.env.PRICES_URL}/prices/flight`, {
    signal: AbortSignal.timeout(1000),
  });
  const { price } = await answer.json();
  request.log.info({ flight, price }, "found a flight");
  return { city, flight, price };
});

await app.listen({ port: Number(process.env.PORT ?? 3001), host: process.env.HOST ?? "127.0.0.1" });
const { address, port } = app.server.address();
process.stdout.write(`listening on http://${address}:${port}\n`);
