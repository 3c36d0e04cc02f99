import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readSettings } from "../../sdk/settings.ts";

const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
const protocol = "OTEL_EXPORTER_OTLP_PROTOCOL";
const folder = mkdtempSync(join(tmpdir(), "sonde-pem-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("endpoints", () => {
  test.each([
    ["http://collector:4318", "http://collector:4318/v1/traces"],
    ["https://collector/otlp//", "https://collector/otlp/v1/traces"],
    ["HTTP://COLLECTOR:4318/a?key=b", "http://collector:4318/a/v1/traces?key=b"],
  ])("the base %s gets the path of the signal", (value, url) => {
    const { settings, complaints } = readSettings({ [endpoint]: value });
    expect(complaints).toEqual([]);
    expect(settings.traces.otlp).toMatchObject({ url, protocol: "http/protobuf" });
  });

  test.each([
    ["collector:4317", {}, "https://collector:4317"],
    ["collector:4317", { OTEL_EXPORTER_OTLP_INSECURE: "true" }, "http://collector:4317"],
    ["collector:4317", { OTEL_EXPORTER_OTLP_TRACES_INSECURE: "TRUE" }, "http://collector:4317"],
    ["http://collector:4317", {}, "http://collector:4317"],
    ["https://collector:4317", { OTEL_EXPORTER_OTLP_INSECURE: "true" }, "https://collector:4317"],
    ["http://collector:4317/path", {}, "http://collector:4317"],
  ])("of grpc, %s with %o is %s", (value, more, url) => {
    const { settings, complaints } = readSettings({
      [endpoint]: value,
      [protocol]: "grpc",
      ...more,
    });
    expect(complaints).toEqual([]);
    expect(settings.traces.otlp).toMatchObject({ url, protocol: "grpc" });
  });

  test.each([
    ["grpc://127.0.0.1:4317", "http://127.0.0.1:4317"],
    ["grpcs://127.0.0.1:4317", "https://127.0.0.1:4317"],
  ])("%s, as our collector tells it, needs no protocol", (value, url) => {
    const { settings, complaints } = readSettings({ [endpoint]: value });
    expect(complaints).toEqual([]);
    expect(settings.logs.otlp).toMatchObject({ url, protocol: "grpc" });
  });

  test("grpc:// wins over another protocol, and it is told", () => {
    const { settings, complaints } = readSettings({
      [endpoint]: "grpc://collector:4317",
      [protocol]: "http/json",
    });
    expect(settings.traces.otlp.protocol).toBe("grpc");
    expect(complaints).toEqual([
      `${endpoint}: "grpc://collector:4317" speaks grpc, not http/json; grpc it is`,
    ]);
  });

  test.each([
    [
      { [endpoint]: "http://c:4317" },
      "4317 is the port of grpc, but the protocol is http/protobuf",
    ],
    [
      { [endpoint]: "http://c:4318", [protocol]: "grpc" },
      "4318 is the port of http/protobuf, but the protocol is grpc; use port 4317",
    ],
    [{ [endpoint]: "c:4318" }, '"c:4318" is not a URL such as http://localhost:4318, ignored'],
    [{ [endpoint]: "ftp://c" }, '"ftp://c" is not a URL such as http://localhost:4318, ignored'],
    [
      { [endpoint]: "unix:///run/otlp", [protocol]: "grpc" },
      '"unix:///run/otlp" is not a URL such as http://localhost:4317, ignored',
    ],
    [
      { [endpoint]: "http://u:secret@" },
      '"http://REDACTED@" is not a URL such as http://localhost:4318, ignored',
    ],
    [
      { [endpoint]: "http://c:4318/v1/traces" },
      "is added to it, so leave out /v1/traces, or set OTEL_EXPORTER_OTLP_TRACES_ENDPOINT instead",
    ],
    [
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://c:4318" },
      "is used as it is, without a path; most collectors take traces at /v1/traces",
    ],
  ])("%o is told", (environment, what) => {
    const { complaints } = readSettings({
      ...environment,
      OTEL_METRICS_EXPORTER: "none",
      OTEL_LOGS_EXPORTER: "none",
    });
    expect(complaints).toEqual([expect.stringContaining(what)]);
  });

  test("of a signal that is off nobody doubts the port", () => {
    const { complaints } = readSettings({
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://collector:4317",
      OTEL_TRACES_EXPORTER: "none",
    });
    expect(complaints).toEqual([]);
  });

  test("what is wrong for all three is told once", () => {
    expect(readSettings({ [endpoint]: "nonsense" }).complaints).toHaveLength(1);
  });
});

describe("headers", () => {
  const read = (value: string) => {
    const { settings, complaints } = readSettings({ OTEL_EXPORTER_OTLP_HEADERS: value });
    return { headers: settings.traces.otlp.headers, complaints };
  };

  test("are decoded, in lower case, and may hold =", () => {
    expect(read("Authorization=Basic%20dXNlcjpw==,x-a= b ")).toEqual({
      headers: { authorization: "Basic dXNlcjpw==", "x-a": "b" },
      complaints: [],
    });
  });

  test.each(["a=1,b", "=1", "a=%zz", "a=1,=x"])("%s: one mistake discards all", (value) => {
    const { headers, complaints } = read(value);
    expect(headers).toEqual({});
    expect(complaints).toHaveLength(1);
  });

  test.each(["a=x%0d%0aevil: 1", "bad name=1", "a=%E2%82%AC"])(
    "%s, which Node would not send, is left out alone, and no value is told",
    (value) => {
      const { headers, complaints } = read(`ok=1,${value}`);
      expect(headers).toEqual({ ok: "1" });
      expect(complaints).toHaveLength(1);
      expect(complaints[0]).not.toContain("evil");
    },
  );

  test("__proto__ is a name like any other", () => {
    expect(Object.keys(read("__proto__=1").headers)).toEqual(["__proto__"]);
    expect({}).not.toHaveProperty("polluted");
  });
});

describe("certificates", () => {
  const pem = join(folder, "some.pem");
  writeFileSync(pem, "-----BEGIN CERTIFICATE-----\n");
  const notPem = join(folder, "not.pem");
  writeFileSync(notPem, "hello");
  const huge = join(folder, "huge.pem");
  writeFileSync(huge, "-----BEGIN ".padEnd(1024 * 1024 + 1));
  const limit = join(folder, "limit.pem");
  writeFileSync(limit, "-----BEGIN ".padEnd(1024 * 1024));

  test("are read, those of a signal first", () => {
    const { settings, complaints } = readSettings({
      OTEL_EXPORTER_OTLP_CERTIFICATE: pem,
      OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE: limit,
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: pem,
      OTEL_EXPORTER_OTLP_CLIENT_KEY: pem,
    });
    expect(complaints).toEqual([]);
    expect(settings.traces.otlp.tls.ca).toBe("-----BEGIN CERTIFICATE-----\n");
    expect(settings.logs.otlp.tls.ca).toHaveLength(1024 * 1024);
    expect(settings.logs.otlp.tls.key).toBeDefined();
  });

  test.each([
    [{ OTEL_EXPORTER_OTLP_CERTIFICATE: "/no/such" }, "cannot be read: ENOENT"],
    [{ OTEL_EXPORTER_OTLP_CERTIFICATE: folder }, "is not a file"],
    [{ OTEL_EXPORTER_OTLP_CERTIFICATE: "/dev/zero" }, "/dev/zero is not a file"],
    [{ OTEL_EXPORTER_OTLP_CERTIFICATE: notPem }, "the file is not PEM, ignored"],
    [{ OTEL_EXPORTER_OTLP_CERTIFICATE: huge }, "has 1048577 bytes, at most 1048576 are read"],
    [
      { OTEL_EXPORTER_OTLP_CLIENT_KEY: pem },
      "is of no use without a OTEL_EXPORTER_OTLP_CLIENT_CERT",
    ],
    [
      { OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: pem },
      "is of no use without a OTEL_EXPORTER_OTLP_CLI",
    ],
  ])("%o is told once and does without", (environment, what) => {
    const { settings, complaints } = readSettings(environment);
    expect(complaints).toEqual([expect.stringContaining(what)]);
    expect(Object.values(settings.traces.otlp.tls).filter((text) => text)).toEqual([]);
  });
});
