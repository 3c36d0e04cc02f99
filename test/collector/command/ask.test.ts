import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Answer, ask, type Secured } from "../../../collector/command/ask.ts";
import { announce } from "../../../collector/presence.ts";

let folder: string;
let server: Server | undefined;
let asked: IncomingHttpHeaders[];
let answer: { status?: number; text?: string; dataDir?: string };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-ask-"));
  asked = [];
  answer = {};
});

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((done) => (server ? server.close(done) : done(undefined)));
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

interface Tls {
  readonly cert: string;
  readonly key: string;
}

async function listen(tls?: Tls): Promise<number> {
  const made = tls
    ? createTlsServer({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) })
    : createServer();
  made.on("request", (request, response) => {
    asked.push(request.headers);
    request.resume();
    const { status = 200, text = "{}", dataDir = folder } = answer;
    response.writeHead(status, { "x-sonde-data-dir": encodeURI(dataDir) }).end(text);
  });
  await new Promise<void>((done) => made.listen(0, "127.0.0.1", done));
  server = made;
  return (made.address() as AddressInfo).port;
}

/** All for the same host, which therefore tells nothing. */
const certificate = (name: string, host = "telemetry.example.com"): Tls => {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const files = ["-keyout", key, "-out", cert];
  execFileSync("openssl", ["req", "-x509", ...options, "-subj", `/CN=${host}`, ...files], {
    stdio: "ignore",
  });
  return { cert, key };
};

const look = (webPort: number, more: Partial<Secured> = {}): Promise<Answer> =>
  ask(
    { dataDir: folder, host: "127.0.0.1", webPort, ...more },
    { method: "GET", path: "/api/dead" },
  );

test("what was announced in the data folder goes before the configured port", async () => {
  const port = await listen();
  await announce(folder, { url: `http://127.0.0.1:${port}` });
  expect(await look(1)).toEqual({ kind: "answer", body: {}, note: "" });
});

test.each(["0.0.0.0", "[::ffff:127.0.0.1]"])("a collector on %s is reached here", async (host) => {
  const port = await listen();
  await announce(folder, { url: `http://${host}:${port}` });
  expect(await look(1)).toMatchObject({ kind: "answer" });
});

test("nobody is there where nothing listens and nothing was announced", async () => {
  const port = await listen();
  await new Promise((done) => server?.close(done));
  server = undefined;
  expect(await look(port)).toEqual({ kind: "nobody" });
  expect(await look(0)).toEqual({ kind: "nobody" });
  await announce(folder, { url: `http://127.0.0.1:${port}` });
  expect(await look(port)).toMatchObject({ kind: "refused" });
});

test("one without a web port is somebody who cannot be asked", async () => {
  await announce(folder, {});
  expect(await look(4319)).toEqual({ kind: "nobody", pid: process.pid });
});

test("a data folder that is not ours is told", async () => {
  answer = { dataDir: "/srv/söndé" };
  const port = await listen();
  expect(await look(port)).toMatchObject({
    note: `asked http://127.0.0.1:${port}, data in /srv/söndé`,
  });
});

test.each([
  [{ status: 404, text: '{"error":"no such output"}' }, "no such output"],
  [{ status: 401, text: "no" }, /asks for a token; set auth_token/],
  [{ status: 200, text: "<html>" }, /is no collector of this version/],
])("%j is a refusal", async (given, error) => {
  answer = given;
  expect(await look(await listen())).toEqual({
    kind: "refused",
    error: typeof error === "string" ? error : (expect.stringMatching(error) as string),
  });
});

test("the token of the settings is shown, from the file that has it too", async () => {
  const port = await listen();
  await look(port);
  await look(port, { authToken: "secret" });
  writeFileSync(join(folder, "token"), "from a file\n");
  await look(port, { authTokenFile: join(folder, "token") });
  expect(asked.map(({ authorization }) => authorization)).toEqual([
    undefined,
    "Bearer secret",
    "Bearer from a file",
  ]);
});

describe("over TLS", () => {
  test("the certificate that the settings name is trusted, whatever its name", async () => {
    const { cert, key } = certificate("own");
    const port = await listen({ cert, key });
    expect(await look(port, { tlsCert: cert, authToken: "secret" })).toMatchObject({
      kind: "answer",
    });
    expect(asked[0]?.authorization).toBe("Bearer secret");
  });

  test("another of the same authority is not trusted, though the authority stands in the file", async () => {
    const [authority, own, other] = [
      certificate("authority", "authority"),
      certificate("own"),
      certificate("other"),
    ];
    for (const { cert } of [own, other]) {
      const signer = ["-CA", authority.cert, "-CAkey", authority.key, "-CAcreateserial"];
      const what = [
        "x509",
        "-clrext",
        "-in",
        cert,
        ...signer,
        "-days",
        "2",
        "-out",
        `${cert}.signed`,
      ];
      execFileSync("openssl", what, { stdio: "ignore" });
    }
    const chain = join(folder, "chain.pem");
    writeFileSync(chain, readFileSync(`${own.cert}.signed`) + readFileSync(authority.cert, "utf8"));
    const port = await listen({ ...other, cert: `${other.cert}.signed` });
    expect(await look(port, { tlsCert: chain, authToken: "secret" })).toMatchObject({
      kind: "refused",
      error: expect.stringContaining("another certificate than tls_cert"),
    });
    expect(asked).toEqual([]);
  });

  test("any other is not, and is not shown the token", async () => {
    const own = certificate("own");
    const port = await listen(certificate("other"));
    expect(await look(port, { tlsCert: own.cert, authToken: "secret" })).toMatchObject({
      kind: "refused",
    });
    await announce(folder, { url: `https://127.0.0.1:${port}` });
    expect(await look(port, { authToken: "secret" })).toMatchObject({ kind: "refused" });
    expect(asked).toEqual([]);
  });
});
