// What was read lately: in Redis if REDIS_URL says where that is, else nowhere.
import { createClient } from "redis";

const seconds = 60;

export async function openCache(url) {
  if (!url) return { get: async () => undefined, set: async () => {}, close: async () => {} };
  const client = createClient({ url });
  client.on("error", () => {}); // a cache that is away for a while is no reason to end
  await client.connect();
  return {
    async get(key) {
      const text = await client.get(key);
      return text === null ? undefined : JSON.parse(text);
    },
    set: (key, value) => client.set(key, JSON.stringify(value), { EX: seconds }),
    close: () => client.close(),
  };
}
