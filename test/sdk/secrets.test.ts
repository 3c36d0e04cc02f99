// Secrets planted everywhere in an app, and none of them in the bytes that it has sent.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constantFrom, oneof, sample, stringMatching, tuple } from "fast-check";
import type { Arbitrary } from "fast-check";
import { expect, test } from "vitest";
import { appFile, runApp } from "./support/app.ts";

type Planted = readonly [place: string, key: string, value: string];

/** Long enough to be found again, and to be no word. */
const secret = stringMatching(/^[a-z0-9]{18}$/).map((letters) => `q${letters}7`);

const names = constantFrom(
  ..."password passwd db.password apiKey api_key x-api-key client_secret authorization".split(" "),
  ..."http.request.header.authorization http.request.header.cookie set-cookie".split(" "),
  ..."accessToken refresh_token privateKey aws.secretAccessKey connectionString jwt".split(" "),
  ..."session_id credentials".split(" "),
);
const parameters = constantFrom(
  ..."token sig key code api_key access_token X-Amz-Signature password".split(" "),
  ..."X-Amz-Security-Token AWSAccessKeyId X-Goog-Signature pass%77ord".split(" "),
);
const fields = constantFrom("note", "user.comment", "detail", "url.path");

const inFields = constantFrom(
  "span attribute",
  "span list",
  "span event",
  "log attribute",
  "log list",
  "log map",
  "pino field",
  "pino child",
  "bunyan field",
  "winston field",
  "console object",
);
const inTexts = oneof(
  inFields,
  constantFrom(
    "span name",
    "span status",
    "exception",
    "log body",
    "pino message",
    "pino error",
    "winston message",
    "console text",
  ),
);

/** Texts with a secret in them that say of themselves what it is. */
const texts: readonly ((value: string) => string)[] = [
  (value) => `connecting to postgres://app:${value}@db:5432/shop failed`,
  (value) => `GET https://host/x?page=1&token=${value} took long`,
  (value) => `password=${value}`,
  (value) => `PGPASSWORD='${value}' psql`,
  (value) => `my password: ${value}, sorry`,
  (value) => `{"user":"ann","password":"${value}"}`,
  (value) => `{ name: 'ann', detail: 'their password: ${value}, sorry' }`,
  (value) => `{\\"client_secret\\": \\"${value}\\"}`,
  (value) => `Authorization: Bearer ${value}`,
  (value) => `sent with bearer ${value} in it`,
  (value) => `Cookie: theme=dark; sid=${value}`,
  (value) => `use ghp_${value}${value} instead`,
  (value) => `sk_live_${value}`,
  (value) => `key AKIA${value.toUpperCase()}`,
  (value) => `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.${value}`,
  (value) => `-----BEGIN PRIVATE KEY-----\n${value}\n-----END PRIVATE KEY-----`,
];
const text = tuple(constantFrom(...texts), secret).map(
  ([write, value]) => [write(value), value] as const,
);
const statements = tuple(
  constantFrom(
    (value: string) => `SELECT * FROM users WHERE name = '${value}' AND age > 5`,
    (value: string) => `INSERT INTO users VALUES (1, E'\\'${value}', $tag$${value}$tag$)`,
    (value: string) => `/* ${value} */ UPDATE users SET name = 'it''s ${value}'`,
  ),
  secret,
).map(([write, value]) => [write(value), value] as const);

const planted: Arbitrary<{ readonly planted: Planted; readonly value: string }> = oneof(
  tuple(inFields, names, secret).map(([place, key, value]) => ({
    planted: [place, key, value] as const,
    value,
  })),
  tuple(constantFrom("fetch", "request"), parameters, secret).map(([place, key, value]) => ({
    planted: [place, key, value] as const,
    value,
  })),
  tuple(inTexts, fields, text).map(([place, key, [line, value]]) => ({
    planted: [place, key, line] as const,
    value,
  })),
  tuple(constantFrom("db.query.text", "db.statement"), statements).map(([key, [sql, value]]) => ({
    planted: ["span attribute", key, sql] as const,
    value,
  })),
);

test.each(["sonde", "opentelemetry"])(
  "no secret leaves the app, with the engine %s",
  async (engine) => {
    const cases = sample(planted, 600);
    const { bytes, ended } = await send(
      cases.map((one) => one.planted),
      engine,
    );
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(bytes.length).toBeGreaterThan(50_000);
    const sent = bytes.toString("latin1").toLowerCase();
    const found = cases.filter(({ value }) => sent.includes(value)).map((one) => one.planted);
    expect(found).toEqual([]);
  },
);

async function send(cases: readonly Planted[], engine: string) {
  const chunks: Buffer[] = [];
  const server = createServer((request, response) => {
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const folder = mkdtempSync(join(tmpdir(), "sonde-secrets-"));
  const file = join(folder, "cases.json");
  writeFileSync(file, JSON.stringify(cases));
  try {
    const ended = await runApp(appFile("secrets/main.cjs"), {
      args: [file],
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
        SONDE_ENGINE: engine,
        // The reference sends nothing at a natural end.
        OTEL_BSP_SCHEDULE_DELAY: "10",
        OTEL_BLRP_SCHEDULE_DELAY: "10",
      },
    });
    return { bytes: Buffer.concat(chunks), ended };
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
}
