// Outputs over HTTPS: whom they trust, who they say that they are, and files that change.

import { mkdtempSync, renameSync, rmSync, writeFileSync, copyFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readFileSync } from "node:fs";
import type { TLSSocket } from "node:tls";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { open as openElasticsearch } from "../../../collector/output/elasticsearch/elasticsearch.ts";
import { settings as elasticsearchSettings } from "../../../collector/output/elasticsearch/settings.ts";
import { open as openLoki } from "../../../collector/output/loki/loki.ts";
import { settings as lokiSettings } from "../../../collector/output/loki/settings.ts";
import { open } from "../../../collector/output/otlp/otlp.ts";
import { settings } from "../../../collector/output/otlp/settings.ts";
import type { Outcome, Output } from "../../../collector/output/output.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { deliveryOf, outputContext } from "../../contract/output.ts";
import { makeAuthority, type Pair } from "../../support/certificates.ts";
import { listenLocally } from "../../support/listen.ts";
import { problems } from "../config/folder.ts";

const folder = mkdtempSync(join(tmpdir(), "sonde-tls-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const authority = makeAuthority(folder, "authority");
const stranger = makeAuthority(folder, "stranger");
const serverPair = authority.issue("server");
const clients = { one: authority.issue("client-one"), two: authority.issue("client-two") };
const text = (path: string): string => readFileSync(path, "utf8");

let server: Server | undefined;
const outputs: Output[] = [];
/** The names in the certificates that clients showed, one for each request. */
const seen: string[] = [];

afterEach(async () => {
  await Promise.all(outputs.splice(0).map((output) => output.close()));
  server?.closeAllConnections();
  server?.close();
  seen.length = 0;
});

async function listen(asks = false, pair: Pair = serverPair): Promise<string> {
  server = createServer(
    { cert: text(pair.cert), key: text(pair.key), ca: text(authority.cert), requestCert: asks },
    (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate();
      seen.push(String(subject?.CN ?? "nobody"));
      request.resume().on("end", () => response.end());
    },
  );
  return `https://127.0.0.1:${await listenLocally(server)}`;
}

async function openTo(endpoint: string, given: object, said: string[] = []): Promise<Output> {
  const incidents = new Incidents({ write: (line) => said.push(line) });
  const output = await open(settings.parse({ endpoint, ...given }), outputContext({ incidents }));
  outputs.push(output);
  return output;
}

const send = (output: Output): Promise<Outcome> =>
  output.deliver(deliveryOf("traces", [3]), new AbortController().signal);

test("a server that the certificate's authority vouches for is trusted", async () => {
  const output = await openTo(await listen(), { certificate: authority.cert });
  expect(await send(output)).toEqual({ kind: "delivered" });
  expect(seen).toEqual(["nobody"]);
});

test("no other is, and nothing is sent to it", async () => {
  const endpoint = await listen();
  for (const given of [{}, { certificate: stranger.cert }]) {
    const outcome = await send(await openTo(endpoint, given));
    expect(outcome).toMatchObject({ kind: "retry", reason: "unreachable" });
  }
  expect(seen).toEqual([]);
});

test("it shows its own certificate to a server that asks", async () => {
  const { cert: client_certificate, key: client_key } = clients.one;
  const given = { certificate: authority.cert, client_certificate, client_key };
  expect(await send(await openTo(await listen(true), given))).toEqual({ kind: "delivered" });
  expect(seen).toEqual(["client-one"]);
});

test("the outputs to Elasticsearch and Loki do the same", async () => {
  const url = await listen(true);
  const { cert: client_certificate, key: client_key } = clients.one;
  const trusting = { url, certificate: authority.cert, client_certificate, client_key };
  for (const [given, outcome] of [
    [
      { url, certificate: stranger.cert },
      { kind: "retry", reason: "unreachable" },
    ],
    [trusting, { kind: "delivered" }],
  ] as const) {
    seen.length = 0;
    const loki = await openLoki(lokiSettings.parse(given), outputContext());
    const elasticsearch = await openElasticsearch(
      elasticsearchSettings.parse(given),
      outputContext(),
    );
    outputs.push(loki, elasticsearch);
    const abort = new AbortController().signal;
    expect(await loki.deliver(deliveryOf("logs", [3]), abort)).toMatchObject(outcome);
    await elasticsearch.deliver(deliveryOf("logs", [3]), abort); // what it is answered is no _bulk
    const isDelivered = outcome.kind === "delivered";
    expect(new Set(seen)).toEqual(new Set(isDelivered ? ["client-one"] : []));
    expect(seen.length).toBeGreaterThanOrEqual(isDelivered ? 2 : 0);
  }
});

test("files that have changed are used from the next connection on, broken ones never", async () => {
  const cert = join(folder, "used.pem");
  const key = join(folder, "used.key");
  const use = (pair: Pair): void => {
    for (const [from, to] of [
      [pair.cert, cert],
      [pair.key, key],
    ] as const) {
      copyFileSync(from, `${to}.new`);
      renameSync(`${to}.new`, to);
    }
  };
  use(clients.one);
  const said: string[] = [];
  const given = { certificate: authority.cert, client_certificate: cert, client_key: key };
  const output = await openTo(await listen(true), given, said);
  await send(output);
  use(clients.two);
  await send(output);
  expect(seen).toEqual(["client-one", "client-two"]);

  writeFileSync(cert, text(clients.one.cert)); // half of the renewal: it does not fit the key
  expect(await send(output)).toEqual({ kind: "delivered" });
  writeFileSync(cert, "");
  expect(await send(output)).toEqual({ kind: "delivered" });
  rmSync(cert);
  expect(await send(output)).toEqual({ kind: "delivered" });
  expect(seen.slice(2)).toEqual(["client-two", "client-two", "client-two"]);
  expect(said[0]).toContain("outputs.out: not taken over: ");
  use(clients.one);
  await send(output);
  expect(seen.at(-1)).toBe("client-one");
});

describe("a mistake in the settings is told at once", () => {
  const endpoint = "https://otlp.example.com";
  const { cert, key } = clients.one;
  const garbage = join(folder, "garbage.pem");
  writeFileSync(garbage, "garbage");

  test.each([
    [{ certificate: "/nowhere.pem" }, /certificate: "\/nowhere.pem" cannot be read: ENOENT$/],
    [{ certificate: garbage }, /certificate: ".*garbage.pem" cannot be used: /],
    [{ client_certificate: cert }, /client_certificate: ".*" needs client_key$/],
    [{ client_key: key }, /client_key: ".*" needs client_certificate$/],
    [
      { client_certificate: cert, client_key: clients.two.key },
      /client_key: ".*" cannot be used: .*mismatch/,
    ],
    [{ client_certificate: garbage, client_key: key }, /client_certificate: ".*" cannot be used: /],
  ])("%o", async (given, message) => {
    const yaml = JSON.stringify({ outputs: { otlp: { endpoint, ...given } } });
    const [problem] = await problems({ yaml });
    expect(problem).toMatch(message);
  });

  test("files for an address without TLS", async () => {
    const otlp = { endpoint: "http://localhost:4318", certificate: authority.cert };
    const [problem] = await problems({ yaml: JSON.stringify({ outputs: { otlp } }) });
    expect(problem).toMatch(/certificate: ".*" is for https:\/\/ and grpcs:\/\/ only/);
  });

  test("zstd over gRPC", async () => {
    const jaeger = { endpoint: "grpc://localhost:4317", compression: "zstd" };
    const [problem] = await problems({ yaml: JSON.stringify({ outputs: { jaeger } }) });
    expect(problem).toContain('compression: "zstd" is for http:// and https://');
  });
});
