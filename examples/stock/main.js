// How many of each product are in store. Plain node:http and console.
import { createServer } from "node:http";

const counts = new Map([
  ["apple", 120],
  ["bread", 8],
  ["cheese", 0],
]);

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? "/", "http://stock");
  const product = /^\/stock\/([a-z]+)$/.exec(pathname)?.[1] ?? "";
  const count = counts.get(product);
  if (count === undefined) return answer(response, 404, { error: "no such product" });
  if (request.method === "GET") return answer(response, 200, { product, count });
  if (request.method !== "DELETE") return answer(response, 405, { error: "GET or DELETE" });
  if (count === 0) {
    console.warn("%s is sold out", product);
    return answer(response, 409, { error: "sold out" });
  }
  counts.set(product, count - 1);
  if (count === 1) setTimeout(() => counts.set(product, 8), 10_000).unref(); // a delivery
  answer(response, 200, { product, count: count - 1 });
});

function answer(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

server.listen(Number(process.env.PORT ?? 3001), process.env.HOST ?? "127.0.0.1", () => {
  const { address, port } = server.address();
  console.log(`listening on http://${address}:${port}`);
});
