// Every way in, against everything that must not get in: real TLS, real certificates.

import { execFile } from "node:child_process";
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { request as httpRequest } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { connect as connectPlain } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type ConnectionOptions } from "node:tls";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Gate } from "../../../collector/access.ts";
import { type GuardSettings, openGuard } from "../../../collector/access/guard.ts";
import { MemoryLog } from "../../../collector/log/memory-log.ts";
import { Intake, type Receiver } from "../../../collector/receive/intake.ts";
import { startOtlpHttp } from "../../../collector/receive/otlp-http.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { type Authority, makeAuthority, type Pair } from "../../support/certificates.ts";
import { decodeStatus, sampleBatch } from "../../support/otlp.ts";
import { until } from "../../support/until.ts";

const protobuf = "application/x-protobuf";
const lookMs = 20;
const span = Buffer.from(sampleBatch("traces", { items: 1 }).bytes);

let folder: string;
let authority: Authority;
let stranger: Authority;
let server: Pair;
let client: Pair;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-access-"));
  authority = makeAuthority(folder, "authority");
  stranger = makeAuthority(folder, "stranger");
  server = authority.issue("server");
  client = authority.issue("client");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let log: MemoryLog;
let guard: Gate;
let receiver: Receiver;
let told: string[];

async function start(settings: GuardSettings): Promise<void> {
  told = [];
  log = new MemoryLog({ maxBytes: 1 << 30 });
  const intake = new Intake({ log, requestMaxBytes: 1 << 20, requestsMaxBytes: 1 << 24 });
  guard = openGuard(settings, new Incidents({ write: (line) => told.push(line) }), lookMs);
  const where = { host: "127.0.0.1", port: 0, setting: "otlp_http_port" };
  receiver = await startOtlpHttp(intake, where, { access: guard });
}

afterEach(async () => {
  guard.close();
  await receiver.stop(AbortSignal.abort());
});

interface Send {
  readonly token?: string;
  readonly pair?: Pair;
  readonly agent?: Agent;
  readonly type?: string;
}

interface Sent {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Rejects if it does not come through at all. */
function send({ token, pair, agent, type = protobuf }: Send = {}): Promise<Sent> {
  const url = new URL("/v1/traces", receiver.url);
  const headers = {
    "content-type": type,
    ...(token === undefined ? {} : { authorization: token }),
  };
  return new Promise((resolve, reject) => {
    const options = { method: "POST", headers, ...(agent ? { agent } : {}) };
    const trust = { ca: readFileSync(authority.cert), ...(pair ? read(pair) : {}) };
    const request =
      url.protocol === "https:"
        ? httpsRequest(url, { ...options, ...(agent ? {} : trust) })
        : httpRequest(url, options);
    request.on("error", reject);
    request.on("response", (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("end", () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: Buffer.concat(pieces) });
      });
    });
    request.end(type === protobuf ? span : "{}");
  });
}

function read({ cert, key }: Pair): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(cert), key: readFileSync(key) };
}

const tls = (): GuardSettings => ({ tlsCert: server.cert, tlsKey: server.key });

describe("a token", () => {
  test("lets in who has it, however the scheme is written", async () => {
    await start({ authToken: "t0p-s3cret" });
    for (const token of ["Bearer t0p-s3cret", "bearer t0p-s3cret", "BEARER  t0p-s3cret"]) {
      expect((await send({ token })).status).toBe(200);
    }
    expect(log.appended.traces).toBe(3);
  });

  test.each([
    ["none", undefined],
    ["an empty one", ""],
    ["a scheme only", "Bearer"],
    ["a scheme and a space", "Bearer "],
    ["another token", "Bearer t0p-s3creT"],
    ["the beginning of it", "Bearer t0p-s3cre"],
    ["more than it", "Bearer t0p-s3cret1"],
    ["it twice", "Bearer t0p-s3cret t0p-s3cret"],
    ["it without a scheme", "t0p-s3cret"],
    ["it with another scheme", "Basic t0p-s3cret"],
    ["it in quotes", 'Bearer "t0p-s3cret"'],
    ["its hash", "Bearer 6a0fd5d6a8d9ffd9d5a3a3f3e7a8a1a6"],
  ])("keeps out who has %s", async (_, token) => {
    await start({ authToken: "t0p-s3cret" });
    const given = token === undefined ? {} : { token };
    const answer = await send(given);
    expect(answer.status).toBe(401);
    expect(answer.headers["www-authenticate"]).toBe("Bearer");
    expect(decodeStatus(answer.body).code).toBe(16);
    const inJson = await send({ ...given, type: "application/json" });
    expect(inJson.status).toBe(401);
    expect(JSON.parse(inJson.body.toString())).toMatchObject({ code: 16 });
    expect(log.appended.traces).toBe(0);
  });

  test("in a file is replaced when the file is, and a bad one is not taken over", async () => {
    const path = join(folder, "token");
    writeFileSync(path, "first\n");
    await start({ authTokenFile: path });
    expect((await send({ token: "Bearer first" })).status).toBe(200);
    writeFileSync(path, "second\n");
    await until("the second is in force", async () => {
      return (await send({ token: "Bearer second" })).status === 200;
    });
    expect((await send({ token: "Bearer first" })).status).toBe(401);
    writeFileSync(path, "");
    await until("it is told", () => told.length > 0);
    expect(told[0]).toContain(`auth_token_file: not taken over: ${path} is empty`);
    expect((await send({ token: "Bearer second" })).status).toBe(200);
    expect((await send({ token: "Bearer " })).status).toBe(401);
  });
});

describe("TLS", () => {
  test("with the certificate; plain HTTP gets nowhere", async () => {
    await start(tls());
    expect(receiver.url).toMatch(/^https:/);
    expect((await send()).status).toBe(200);
    const socket = connectPlain(Number(new URL(receiver.url).port), "127.0.0.1");
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.on("error", () => {});
    socket.write("POST /v1/traces HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    await new Promise((resolve) => socket.once("close", resolve));
    expect(text).not.toContain("HTTP/1.1");
  });

  test("with a token needs both", async () => {
    await start({ ...tls(), authToken: "t" });
    expect((await send()).status).toBe(401);
    expect((await send({ token: "Bearer t" })).status).toBe(200);
  });

  test("offers HTTP/1.1 and does not speak TLS 1.1", async () => {
    await start(tls());
    const offered = await handshake({ ALPNProtocols: ["h2", "http/1.1"] });
    expect(offered).toBe("http/1.1");
    await expect(handshake({ maxVersion: "TLSv1.1", minVersion: "TLSv1.1" })).rejects.toThrow();
  });

  test("does not wait when it is stopped for those who never finish their handshake", async () => {
    await start(tls());
    const socket = connectPlain(Number(new URL(receiver.url).port), "127.0.0.1");
    socket.on("error", () => {});
    await new Promise((resolve) => socket.once("connect", resolve));
    await receiver.stop(AbortSignal.timeout(100));
    socket.destroy();
  });
});

describe("client certificates", () => {
  const mutual = (): GuardSettings => ({ ...tls(), tlsClientCa: authority.cert });

  test("of the authority let in", async () => {
    await start(mutual());
    expect((await send({ pair: client })).status).toBe(200);
  });

  test("that are missing, of another authority, self-made or expired do not", async () => {
    await start(mutual());
    const expired = authority.issue("expired", { days: -1 });
    const foreign = stranger.issue("foreign");
    for (const pair of [undefined, expired, foreign, { ...stranger }]) {
      await expect(send(pair ? { pair } : {})).rejects.toThrow();
    }
    expect(log.appended.traces).toBe(0);
    expect((await send({ pair: client })).status).toBe(200);
  });

  test("of an authority that is not asked for any more do not, also with an old session", async () => {
    const ca = join(folder, "clients.pem");
    copyFileSync(authority.cert, ca);
    await start({ ...tls(), tlsClientCa: ca });
    const trust = { ca: readFileSync(authority.cert), ...read(client) };
    const agent = new Agent({ ...trust, keepAlive: false, maxCachedSessions: 10 });
    expect((await send({ agent })).status).toBe(200);
    copyFileSync(stranger.cert, ca);
    await until("it is kept out", () =>
      send({ agent }).then(
        () => false,
        () => true,
      ),
    );
    const other = stranger.issue("newcomer");
    expect((await send({ pair: other })).status).toBe(200);
  });
});

describe("certificates that are replaced", () => {
  test("are in force without a request lost, a hundred times, while requests come", async () => {
    const live = { cert: join(folder, "live.pem"), key: join(folder, "live.key") };
    const pairs = [authority.issue("live-0"), authority.issue("live-1")];
    const swap = (pair: Pair): void => {
      for (const kind of ["cert", "key"] as const) {
        copyFileSync(pair[kind], `${live[kind]}.new`);
        renameSync(`${live[kind]}.new`, live[kind]);
      }
    };
    swap(pairs[0]!);
    await start({ tlsCert: live.cert, tlsKey: live.key });
    const trust = { ca: readFileSync(authority.cert) };
    const kept = new Agent({ ...trust, keepAlive: true, maxSockets: 4 });
    const over = new AbortController();
    const failures: unknown[] = [];
    let sent = 0;
    const lane = async (agent?: Agent): Promise<void> => {
      while (!over.signal.aborted) {
        const answer = await send(agent ? { agent } : {}).catch((error: unknown) => error);
        sent++;
        if ((answer as Sent).status !== 200) failures.push(answer);
      }
    };
    const lanes = [lane(kept), lane(kept), lane()];
    for (let round = 1; round <= 100; round++) {
      swap(pairs[round % 2]!);
      const name = `live-${round % 2}`;
      await until(`${name} is in force`, async () => (await subject()) === name);
    }
    over.abort();
    await Promise.all(lanes);
    kept.destroy();
    expect(failures).toEqual([]);
    expect(log.appended.traces).toBe(sent);
    expect(told).toEqual([]);
  }, 120_000);

  test("by a link that is swapped, as Kubernetes does it, are in force", async () => {
    const [one, two] = [authority.issue("linked-1"), authority.issue("linked-2")];
    const point = (to: Pair): void => {
      for (const kind of ["cert", "key"] as const) {
        const link = join(folder, `linked.${kind}`);
        symlinkSync(to[kind], `${link}.new`);
        renameSync(`${link}.new`, link);
      }
    };
    point(one);
    await start({ tlsCert: join(folder, "linked.cert"), tlsKey: join(folder, "linked.key") });
    expect(await subject()).toBe("linked-1");
    point(two);
    await until("the other is in force", async () => (await subject()) === "linked-2");
  });

  test("by what cannot be used are kept, which is told; and taken once it can be used", async () => {
    const live = { cert: join(folder, "broken.pem"), key: join(folder, "broken.key") };
    const [good, next] = [authority.issue("good"), authority.issue("next")];
    copyFileSync(good.cert, live.cert);
    copyFileSync(good.key, live.key);
    await start({ tlsCert: live.cert, tlsKey: live.key });
    copyFileSync(next.cert, live.cert);
    await until("it is told", () => told.length > 0);
    expect(told[0]).toContain(`tls_key: not taken over: ${live.key} is not the key of`);
    expect(await subject()).toBe("good");
    rmSync(live.cert);
    expect((await send()).status).toBe(200);
    copyFileSync(next.cert, live.cert);
    copyFileSync(next.key, live.key);
    await until("the next is in force", async () => (await subject()) === "next");
  });
});

test("curl comes in by TLS, client certificate and token", async () => {
  await start({ ...tls(), tlsClientCa: authority.cert, authToken: "t" });
  const body = join(folder, "span.bin");
  writeFileSync(body, span);
  const args = `--silent --show-error --cacert ${authority.cert} --cert ${client.cert}
    --key ${client.key} --header content-type:${protobuf} --data-binary @${body}
    --write-out %{http_code} ${receiver.url}/v1/traces`;
  const bearer = ["--header", "authorization: bearer t"];
  const { stdout } = await promisify(execFile)("curl", [...args.split(/\s+/), ...bearer]);
  expect(stdout).toBe("200");
});

/** The name in the certificate that new connections get. */
function subject(): Promise<string> {
  return handshake({}, (socket) => String(socket.getPeerCertificate().subject.CN));
}

function handshake(
  options: ConnectionOptions,
  result = (socket: ReturnType<typeof connect>): string => String(socket.alpnProtocol),
): Promise<string> {
  const { hostname: host, port } = new URL(receiver.url);
  const ca = readFileSync(authority.cert);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), ca, ...options }, () => {
      resolve(result(socket));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}
