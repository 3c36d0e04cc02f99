import { afterEach, expect, test } from "vitest";
import { openAccess } from "../../../collector/access.ts";
import { MemoryLog } from "../../../collector/log/memory-log.ts";
import { Intake, type Receiver } from "../../../collector/receive/intake.ts";
import { startOtlpHttp } from "../../../collector/receive/otlp-http.ts";

const json = "application/json";
const shop = "https://shop.example";

let receiver: Receiver;
afterEach(() => receiver.stop(AbortSignal.abort()));

async function start(corsOrigins: readonly string[], token?: string): Promise<void> {
  const log = new MemoryLog({ maxBytes: 1 << 30 });
  const intake = new Intake({ log, requestMaxBytes: 1 << 20, requestsMaxBytes: 1 << 20 });
  const where = { host: "127.0.0.1", port: 0, setting: "otlp_http_port" };
  const allows = (given: string | undefined): boolean => given === token;
  const access = { ...openAccess, ...(token === undefined ? {} : { allows }) };
  receiver = await startOtlpHttp(intake, where, { access, corsOrigins });
}

function ask(method: string, headers: Record<string, string>): Promise<Response> {
  const body = method === "POST" ? { body: "{}" } : {};
  const all = { "content-type": json, ...headers };
  return fetch(`${receiver.url}/v1/traces`, { method, headers: all, ...body });
}

const preflight = (origin: string): Promise<Response> =>
  ask("OPTIONS", {
    origin,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,x-tenant",
  });

test("without a setting no page may send, wherever it is from, and programs may", async () => {
  await start([]);
  for (const origin of [shop, "null", "http://127.0.0.1:4318", receiver.url, ""]) {
    const response = await ask("POST", { origin });
    expect(response.status).toBe(403);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(await response.json()).toMatchObject({ code: 7 });
  }
  expect((await preflight(shop)).status).toBe(403);
  const response = await ask("POST", {});
  expect(response.status).toBe(200);
  expect(response.headers.get("access-control-allow-origin")).toBeNull();
});

test("a page that is named may send, others may not", async () => {
  await start([shop, "https://other.example:8443"]);
  const asked = await preflight(shop);
  expect(asked.status).toBe(204);
  expect(Object.fromEntries(asked.headers)).toMatchObject({
    "access-control-allow-origin": shop,
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "content-type,x-tenant",
    "access-control-max-age": "7200",
    vary: "origin",
  });
  const sent = await ask("POST", { origin: shop });
  expect(sent.status).toBe(200);
  expect(sent.headers.get("access-control-allow-origin")).toBe(shop);
  for (const origin of [`${shop}.evil.example`, "http://shop.example", `${shop}:444`, "null"]) {
    expect((await preflight(origin)).status).toBe(403);
    expect((await ask("POST", { origin })).status).toBe(403);
  }
});

test("a page can read a refusal too, and when to come back", async () => {
  await start([shop]);
  const response = await ask("POST", { origin: shop, "content-type": "text/plain" });
  expect(response.status).toBe(415);
  expect(response.headers.get("access-control-allow-origin")).toBe(shop);
  expect(response.headers.get("access-control-expose-headers")).toBe("retry-after");
});

test("with * every page may send", async () => {
  await start(["*"]);
  for (const origin of [shop, "null"]) {
    expect((await preflight(origin)).headers.get("access-control-allow-origin")).toBe("*");
    expect((await ask("POST", { origin })).status).toBe(200);
  }
});

test("a browser may ask without the token, and not send without it", async () => {
  await start([shop], "Bearer t");
  expect((await preflight(shop)).status).toBe(204);
  expect((await ask("POST", { origin: shop })).status).toBe(401);
  expect((await ask("POST", { origin: shop, authorization: "Bearer t" })).status).toBe(200);
});
