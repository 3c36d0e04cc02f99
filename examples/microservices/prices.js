// The third of three: what things cost. Plain node:http and console.
import { createServer } from "node:http";

const prices = { flight: 120, hotel: 80 };

const server = createServer((request, response) => {
  const thing = /^\/prices\/([a-z]+)$/.exec(request.url ?? "")?.[1] ?? "";
  const price = Object.hasOwn(prices, thing) ? prices[thing] : undefined;
  if (price === undefined) console.warn("nobody sells %j", thing);
  response
    .writeHead(price === undefined ? 404 : 200, { "content-type": "application/json" })
    .end(JSON.stringify(price === undefined ? { error: "not for sale" } : { thing, price }));
});

server.listen(Number(process.env.PORT ?? 3002), process.env.HOST ?? "127.0.0.1", () => {
  const { address, port } = server.address();
  process.stdout.write(`listening on http://${address}:${port}\n`);
});
