// Whoever is kept out by one listener is kept out by all: the whole collector, each of its doors.

import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Collector } from "../../../collector/collector.ts";
import { loadConfig } from "../../../collector/config/config.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { type Authority, makeAuthority, type Pair } from "../../support/certificates.ts";
import { asIs } from "../../support/grpc-js.ts";
import { until } from "../../support/until.ts";

let folder: string;
let authority: Authority;
let server: Pair;
let collector: Collector | undefined;
let urls: Record<string, string>;
let told: string[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-listeners-"));
  authority = makeAuthority(folder, "authority");
  server = authority.issue("server");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  await collector?.stop(AbortSignal.abort());
  collector = undefined;
});

async function start(env: Record<string, string>): Promise<void> {
  const ports = {
    SONDE_OTLP_HTTP_PORT: "0",
    SONDE_OTLP_GRPC_PORT: "0",
    SONDE_PROMETHEUS_PORT: "0",
    SONDE_WEB_PORT: "0",
  };
  const usual = { SONDE_LOG: "memory", SONDE_DATA_DIR: folder };
  const { config } = await loadConfig({ env: { ...usual, ...ports, ...env }, cwd: folder });
  urls = {};
  told = [];
  const incidents = new Incidents({ write: (line) => told.push(line) });
  const ready = (what: string, url: string): void => void (urls[what] = url);
  collector = await Collector.start(config, { incidents, ready });
}

const doors = (): string[] => [
  `${urls["OTLP/HTTP"]}/v1/traces`,
  `${urls["health and own metrics"]}/health`,
  `${urls["health and own metrics"]}/metrics`,
  urls["Prometheus metrics"] ?? "",
];

interface Asked {
  readonly status: number;
  readonly challenge: string | undefined;
  /** The name in the certificate. */
  readonly subject: string;
}

function ask(url: string, authorization?: string): Promise<Asked> {
  const isOtlp = url.endsWith("/v1/traces");
  const headers = {
    ...(isOtlp ? { "content-type": "application/json" } : {}),
    ...(authorization === undefined ? {} : { authorization }),
  };
  const method = isOtlp ? "POST" : "GET";
  const ca = readFileSync(authority.cert);
  const agent = new Agent({ ca, keepAlive: false, maxCachedSessions: 0 });
  return new Promise((resolve, reject) => {
    const request = url.startsWith("https:")
      ? httpsRequest(url, { method, headers, agent })
      : httpRequest(url, { method, headers });
    let subject = "";
    if (url.startsWith("https:")) {
      request.on("socket", (socket) => {
        const secured = socket as TLSSocket; // as the URL says
        secured.once("secureConnect", () => {
          subject = String(secured.getPeerCertificate().subject.CN);
        });
      });
    }
    request.on("response", (response) => {
      response.resume();
      const { statusCode: status = 0, headers } = response;
      response.on("end", () => {
        resolve({ status, challenge: headers["www-authenticate"], subject });
      });
    });
    request.on("error", reject);
    request.end(isOtlp ? "{}" : undefined);
  });
}

/** The status of an empty request over gRPC, sent by a client that is not ours. */
function askGrpc(authorization?: string): Promise<grpc.status> {
  const url = urls["OTLP/gRPC"] ?? "";
  const credentials = url.startsWith("grpcs:")
    ? grpc.credentials.createSsl(readFileSync(authority.cert))
    : grpc.credentials.createInsecure();
  const client = new grpc.Client(url.replace(/^grpcs?:../, ""), credentials);
  const metadata = new grpc.Metadata();
  if (authorization !== undefined) metadata.set("authorization", authorization);
  const path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, asIs, asIs, Buffer.alloc(0), metadata, (error) => {
      client.close();
      resolve(error?.code ?? grpc.status.OK);
    });
  });
}

test("every listener speaks TLS, says so, and takes new certificates when the files change", async () => {
  const live = { cert: join(folder, "live.pem"), key: join(folder, "live.key") };
  copyFileSync(server.cert, live.cert);
  copyFileSync(server.key, live.key);
  await start({ SONDE_TLS_CERT: live.cert, SONDE_TLS_KEY: live.key });
  expect(Object.keys(urls)).toHaveLength(4);
  expect(urls["OTLP/gRPC"]).toMatch(/^grpcs:/);
  expect(await askGrpc()).toBe(grpc.status.OK);
  for (const url of doors()) {
    expect(url).toMatch(/^https:/);
    expect(await ask(url)).toMatchObject({ status: 200, subject: "server" });
    await expect(ask(url.replace("https:", "http:"))).rejects.toThrow();
  }
  const next = authority.issue("next");
  copyFileSync(next.cert, live.cert);
  copyFileSync(next.key, live.key);
  for (const url of doors()) {
    await until("the next certificate", async () => (await ask(url)).subject === "next");
  }
});

test("every listener asks for the token, but not whoever asks whether it lives", async () => {
  await start({ SONDE_AUTH_TOKEN: "t0ken" });
  for (const url of doors()) {
    for (const wrong of [undefined, "", "Bearer", "Bearer t0kem", "Basic t0ken"]) {
      expect(await ask(url, wrong)).toMatchObject({ status: 401, challenge: "Bearer" });
    }
    expect((await ask(url, "bearer t0ken")).status).toBe(200);
  }
  for (const wrong of [undefined, "", "Bearer", "Bearer t0kem", "Basic t0ken"]) {
    expect(await askGrpc(wrong)).toBe(grpc.status.UNAUTHENTICATED);
  }
  expect(await askGrpc("bearer t0ken")).toBe(grpc.status.OK);
  const web = urls["health and own metrics"];
  for (const path of ["/healthz", "/readyz?verbose"]) {
    expect((await ask(`${web}${path}`)).status).toBe(200);
  }
  expect(told).toEqual([]);
});

test("a token that other machines send without TLS is warned of, once", async () => {
  await start({ SONDE_AUTH_TOKEN: "t0ken", SONDE_HOST: "0.0.0.0" });
  expect(told).toEqual([
    "host 0.0.0.0: the token that clients send is not encrypted; set tls_cert and tls_key, " +
      "or make sure that something before it speaks TLS",
  ]);
});
