// Who may come in, as far as it is a matter of settings: everything that is wrong is told before anything
// listens.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { check } from "../../../collector/config/check.ts";
import { type Authority, makeAuthority, type Pair } from "../../support/certificates.ts";
import { load, problems } from "./folder.ts";

let folder: string;
let authority: Authority;
let server: Pair;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-config-access-"));
  authority = makeAuthority(folder, "authority");
  server = authority.issue("server");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tls = (): Record<string, string> => ({
  SONDE_TLS_CERT: server.cert,
  SONDE_TLS_KEY: server.key,
});

describe("a token", () => {
  it("is given as it is or in a file, which stays a path so that it can be read again", async () => {
    const env = { SONDE_AUTH_TOKEN: "t0ken" };
    expect((await load({ env })).config).toMatchObject({ authToken: "t0ken" });
    const given = { yaml: "auth_token_file: token", files: { token: "t0ken\n" } };
    const { config } = await load(given);
    expect(config).toMatchObject({ authTokenFile: "token" });
    expect(config).not.toHaveProperty("authToken");
  });

  it.each([
    ['auth_token: ""', "sonde.yaml:1 auth_token: *** is empty"],
    [
      'auth_token: "a b"',
      "sonde.yaml:1 auth_token: *** has a space or a character that no header can carry",
    ],
    [
      "auth_token: é",
      "sonde.yaml:1 auth_token: *** has a space or a character that no header can carry",
    ],
    ["auth_token_file: none", 'sonde.yaml:1 auth_token_file: "none" cannot be read: no such file'],
    ["auth_token_file: empty", 'sonde.yaml:1 auth_token_file: "empty" is empty'],
    [
      "auth_token_file: lines",
      'sonde.yaml:1 auth_token_file: "lines" has a space or a character that no header can carry',
    ],
  ])("%s is a mistake", async (yaml, told) => {
    expect(await problems({ yaml, files: { empty: "\n", lines: "a\nb\n" } })).toEqual([told]);
  });

  it("may have 4096 characters", async () => {
    expect(await problems({ env: { SONDE_AUTH_TOKEN: "x".repeat(4096) } })).toEqual([]);
    expect(await problems({ env: { SONDE_AUTH_TOKEN: "x".repeat(4097) } })).toEqual([
      "SONDE_AUTH_TOKEN: *** is too long, at most 4096 characters are allowed",
    ]);
  });

  it("in two places is a mistake", async () => {
    const env = { SONDE_AUTH_TOKEN: "a", SONDE_AUTH_TOKEN_FILE: server.cert };
    expect((await problems({ env }))[0]).toContain("is too much beside auth_token");
  });

  it("is not shown, its file is", async () => {
    const yaml = "auth_token: hunter2\ncors_origins: [https://a.example]";
    const { text } = await check({ env: { SONDE_CONFIG: writeYaml(yaml) } });
    expect(text).toMatch(/^auth_token +SONDE_AUTH_TOKEN +\*\*\* /m);
    expect(text).not.toContain("hunter2");
    const other = await check({
      env: { SONDE_CONFIG: writeYaml(`tls_cert: ${server.cert}\ntls_key: ${server.key}`) },
    });
    expect(other.text).toMatch(new RegExp(`^tls_key +SONDE_TLS_KEY +${server.key} `, "m"));
  });
});

describe("certificates", () => {
  it("are taken when they fit", async () => {
    const env = { ...tls(), SONDE_TLS_CLIENT_CA: authority.cert };
    expect((await load({ env })).config).toMatchObject({
      tlsCert: server.cert,
      tlsKey: server.key,
      tlsClientCa: authority.cert,
    });
  });

  it("that are not there, are none or do not fit are told by the setting", async () => {
    const none = join(folder, "none.pem");
    const text = join(folder, "text.pem");
    writeFileSync(text, "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n");
    const told = async (more: Record<string, string>): Promise<readonly string[]> =>
      await problems({ env: { ...tls(), ...more } });
    expect(await told({ SONDE_TLS_CERT: none })).toEqual([
      `SONDE_TLS_CERT: "${none}" cannot be read: no such file`,
    ]);
    expect(await told({ SONDE_TLS_CERT: text })).toEqual([
      `SONDE_TLS_CERT: "${text}" has no certificate in PEM form`,
    ]);
    expect(await told({ SONDE_TLS_KEY: text })).toEqual([
      `SONDE_TLS_KEY: "${text}" has no private key in PEM form that needs no password`,
    ]);
    expect(await told({ SONDE_TLS_KEY: authority.key })).toEqual([
      `SONDE_TLS_KEY: "${authority.key}" is not the key of the certificate in ${server.cert}`,
    ]);
    expect(await told({ SONDE_TLS_CLIENT_CA: text })).toEqual([
      `SONDE_TLS_CLIENT_CA: "${text}" has no certificates in PEM form`,
    ]);
  });

  it("need one another", async () => {
    const { cert, key } = server;
    expect(await problems({ env: { SONDE_TLS_CERT: cert } })).toEqual([
      `SONDE_TLS_CERT: "${cert}" needs its key, tls_key (SONDE_TLS_KEY)`,
    ]);
    expect(await problems({ env: { SONDE_TLS_KEY: key } })).toEqual([
      `SONDE_TLS_KEY: "${key}" needs a certificate, tls_cert (SONDE_TLS_CERT)`,
    ]);
    expect(await problems({ env: { SONDE_TLS_CLIENT_CA: cert } })).toEqual([
      `SONDE_TLS_CLIENT_CA: "${cert}" needs a certificate, tls_cert (SONDE_TLS_CERT)`,
    ]);
  });

  it("given themselves instead of their path are not repeated in the message", async () => {
    const key = readFileSync(server.key, "utf8");
    const told = await problems({ env: { ...tls(), SONDE_TLS_KEY: key } });
    expect(told).toHaveLength(1);
    expect(told[0]).toContain("SONDE_TLS_KEY: *** cannot be read");
  });
});

describe("an address that other machines can reach", () => {
  it("is allowed with a token or with client certificates, not with TLS alone", async () => {
    const host = { SONDE_HOST: "0.0.0.0" };
    const problemsWith = (env: Record<string, string>) => problems({ env: { ...host, ...env } });
    expect(await problemsWith({ SONDE_AUTH_TOKEN: "t" })).toEqual([]);
    expect(await problemsWith({ SONDE_AUTH_TOKEN_FILE: writeToken() })).toEqual([]);
    expect(await problemsWith({ ...tls(), SONDE_TLS_CLIENT_CA: authority.cert })).toEqual([]);
    expect((await problemsWith(tls()))[0]).toContain("nobody is asked who they are");
  });
});

describe("origins of web pages", () => {
  it.each(["https://shop.example", "http://localhost:3000", "*"])("%s is one", async (origin) => {
    const { config } = await load({ env: { SONDE_CORS_ORIGINS: `${origin}, https://b.example` } });
    expect(config.corsOrigins).toEqual([origin, "https://b.example"]);
  });

  it.each([
    "shop.example",
    "https://shop.example/",
    "https://*.example",
    "null",
    "HTTPS://a.example",
  ])("%s is none", async (origin) => {
    const [told] = await problems({ env: { SONDE_CORS_ORIGINS: origin } });
    expect(told).toContain(`"${origin}" is not an origin such as https://shop.example, or "*"`);
  });
});

function writeYaml(yaml: string): string {
  const path = join(folder, "sonde.yaml");
  writeFileSync(path, yaml);
  return path;
}

function writeToken(): string {
  const path = join(folder, "token");
  writeFileSync(path, "t0ken");
  return path;
}
