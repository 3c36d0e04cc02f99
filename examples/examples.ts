// The examples: which services each consists of, in the order they start in, and some requests to show it.

export interface Service {
  readonly name: string;
  readonly file: string;
  /** Variables that hold the addresses of services before it. */
  readonly needs?: Readonly<Record<string, string>>;
}

export interface Visit {
  readonly method?: "POST";
  readonly path: string;
  readonly body?: object;
}

export interface Example {
  /** The last one gets the requests. */
  readonly services: readonly Service[];
  readonly visits: readonly Visit[];
}

export const examples: Readonly<Record<string, Example>> = {
  shop: {
    services: [
      { name: "stock", file: "stock/main.js" },
      { name: "shop", file: "shop/main.js", needs: { STOCK_URL: "stock" } },
    ],
    visits: [
      { path: "/products" },
      { path: "/products/apple" },
      order("apple"),
      { path: "/products/bread" },
      order("bread"),
      order("cheese"),
      { path: "/products/pear" },
      { path: "/fail" },
    ],
  },
  express: {
    services: [{ name: "notes", file: "express/main.js" }],
    visits: [
      { method: "POST", path: "/notes", body: { text: "buy bread" } },
      { path: "/notes/1" },
      { path: "/notes/0" },
    ],
  },
  fastify: {
    services: [{ name: "links", file: "fastify/main.js" }],
    visits: [
      { method: "POST", path: "/links", body: { url: "https://opentelemetry.io" } },
      { path: "/links/none" },
    ],
  },
  queue: {
    services: [{ name: "queue", file: "queue/main.js" }],
    visits: [
      { method: "POST", path: "/jobs", body: { say: "a few words to count" } },
      { path: "/jobs/1" },
    ],
  },
  microservices: {
    services: [
      { name: "prices", file: "microservices/prices.js" },
      { name: "flights", file: "microservices/flights.js", needs: { PRICES_URL: "prices" } },
      {
        name: "gateway",
        file: "microservices/gateway.js",
        needs: { FLIGHTS_URL: "flights", PRICES_URL: "prices" },
      },
    ],
    visits: [{ path: "/trips/lisbon" }, { path: "/trips/oslo" }, { path: "/trips/atlantis" }],
  },
};

function order(product: string): Visit {
  return { method: "POST", path: "/orders", body: { product } };
}
