import { describe, expect, test } from "vitest";
import { refusal } from "../../../collector/query/guard.ts";

const status = (
  headers: Readonly<Record<string, string>>,
  { method = "GET", ownHost = "127.0.0.1" } = {},
): number | undefined => refusal({ method, headers }, ownHost)?.status;

describe("the name by which it is asked", () => {
  test.each([
    ["127.0.0.1:4319", "127.0.0.1"],
    ["127.0.0.1", "127.0.0.1"],
    ["127.8.8.8:4319", "127.0.0.1"],
    ["10.1.2.3:4319", "0.0.0.0"],
    ["[::1]:4319", "127.0.0.1"],
    ["[2001:db8::7]:4319", "::"],
    ["localhost:4319", "127.0.0.1"],
    ["LOCALHOST", "127.0.0.1"],
    ["localhost.:4319", "127.0.0.1"],
    ["telemetry.example.com:4319", "telemetry.example.com"],
    ["Telemetry.Example.COM", "telemetry.example.com."],
  ])("%s is ours where host is %s", (host, ownHost) => {
    expect(status({ host }, { ownHost })).toBeUndefined();
  });

  test.each([
    ["evil.example.com:4319", "127.0.0.1"],
    ["localhost.evil.example.com", "127.0.0.1"],
    ["127.0.0.1.evil.example.com", "127.0.0.1"],
    ["evil-localhost", "127.0.0.1"],
    ["notlocalhost:4319", "127.0.0.1"],
    ["127.0.0.1x:4319", "127.0.0.1"],
    ["other.example.com", "telemetry.example.com"],
    ["sub.telemetry.example.com", "telemetry.example.com"],
  ])("%s is not where host is %s", (host, ownHost) => {
    expect(status({ host }, { ownHost })).toBe(403);
  });

  test.each([
    "",
    "a b",
    "localhost/x",
    "user@localhost",
    "localhost?x",
    "localhost#x",
    "[::1",
    ":80",
  ])("%j is no name", (host) => {
    expect(status({ host })).toBe(400);
  });

  test("none at all is none", () => {
    expect(status({})).toBe(400);
  });
});

describe("the page that asks", () => {
  const host = "127.0.0.1:4319";

  test.each([
    "http://127.0.0.1:4319",
    "HTTP://127.0.0.1:4319",
    "https://127.0.0.1:4319", // our own page, where we speak TLS
  ])("%s is our own", (origin) => {
    expect(status({ host, origin })).toBeUndefined();
  });

  test("a port that is the usual one need not be written", () => {
    expect(status({ host: "localhost", origin: "http://localhost:80" })).toBeUndefined();
    expect(status({ host: "localhost:443", origin: "https://localhost" })).toBeUndefined();
    expect(status({ host: "localhost:443", origin: "http://localhost" })).toBe(403);
  });

  test.each([
    "http://evil.example.com",
    "http://127.0.0.1",
    "http://127.0.0.1:4318",
    "http://localhost:4319",
    "null",
    "",
    "file://",
    "chrome-extension://127.0.0.1:4319",
    "http://127.0.0.1:4319.evil.example.com",
    "http://127.0.0.1:4319/path",
  ])("%j is not", (origin) => {
    for (const method of ["GET", "POST"]) {
      const headers = { host, origin, "content-type": "application/json" };
      expect(status(headers, { method })).toBe(403);
    }
  });
});

describe("what changes something must be what no page of another site can send unasked", () => {
  const host = "localhost:4319";
  const post = (type?: string): number | undefined =>
    status({ host, ...(type === undefined ? {} : { "content-type": type }) }, { method: "POST" });

  test.each(["application/json", "Application/JSON", "application/json; charset=utf-8"])(
    "%s may",
    (type) => {
      expect(post(type)).toBeUndefined();
    },
  );

  test.each([
    undefined,
    "",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=application/json",
    "text/plain; application/json",
    "application/jsonx",
    "application/json, text/plain",
  ])("%s may not", (type) => {
    expect(post(type)).toBe(415);
  });
});
