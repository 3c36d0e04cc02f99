// A small shop: express, pino and, for what is in store, the stock service over HTTP.
import express from "express";
import pino from "pino";

const stockUrl = process.env.STOCK_URL ?? "http://127.0.0.1:3001";
const log = pino();
const products = [
  { id: "apple", price: 1 },
  { id: "bread", price: 4 },
  { id: "cheese", price: 12 },
];

const app = express();
app.use(express.json({ limit: "10kb" }));

app.get("/products", (_request, response) => {
  response.json(products);
});

app.get("/products/:id", async (request, response) => {
  const product = products.find(({ id }) => id === request.params.id);
  if (!product) {
    response.status(404).json({ error: "no such product" });
    return;
  }
  const stock = await fetch(`${stockUrl}/stock/${product.id}`);
  const { count } = await stock.json();
  response.json({ ...product, count });
});

app.post("/orders", async (request, response) => {
  const product = products.find(({ id }) => id === request.body?.product);
  if (!product) {
    response.status(400).json({ error: "order one of our products" });
    return;
  }
  const taken = await fetch(`${stockUrl}/stock/${product.id}`, { method: "DELETE" });
  if (!taken.ok) {
    log.warn({ product: product.id, status: taken.status }, "order not possible");
    response.status(409).json(await taken.json());
    return;
  }
  log.info({ product: product.id, price: product.price }, "ordered");
  response.status(201).json({ product: product.id });
});

app.get("/fail", () => {
  throw new Error("this route always fails");
});

// Express tells an error handler by its four parameters.
app.use((error, _request, response, _next) => {
  log.error(error, "request failed");
  response.status(error.status ?? 500).json({ error: error.message });
});

const server = app.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? "127.0.0.1", () => {
  const { address, port } = server.address();
  process.stdout.write(`listening on http://${address}:${port}\n`);
});
