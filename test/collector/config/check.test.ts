import { describe, expect, it } from "vitest";
import { check } from "../../../collector/config/check.ts";
import { folderWith, type Given } from "./folder.ts";

async function checked(given: Given): Promise<{ lines: string[]; exitCode: number }> {
  const { text, exitCode } = await check({ env: given.env ?? {}, cwd: folderWith(given) });
  expect(text.endsWith("\n")).toBe(true);
  return { lines: text.slice(0, -1).split("\n"), exitCode };
}

describe("sonde check", () => {
  it("lists every setting by both names with its value and where it came from", async () => {
    const { lines, exitCode } = await checked({
      yaml: "log_max_bytes: 512MiB\n\noutputs:\n  mine: { type: otlp, endpoint: http://h:1 }\n",
      env: { SONDE_WEB_PORT: "off" },
    });
    expect(exitCode).toBe(0);
    expect(lines.map((line) => line.split(/ {2,}/))).toEqual(
      expect.arrayContaining([
        ["data_dir", "SONDE_DATA_DIR", "./.sonde", "default"],
        ["log_max_bytes", "SONDE_LOG_MAX_BYTES", "512MiB", "sonde.yaml:1"],
        ["web_port", "SONDE_WEB_PORT", "off", "variable SONDE_WEB_PORT"],
        ["outputs.mine.type", "-", "otlp", "sonde.yaml:4"],
        ["outputs.mine.endpoint", "-", "http://h:1", "sonde.yaml:4"],
        ["outputs.mine.headers", "-", "-", "default"],
        ["outputs.mine.signals", "-", "traces,metrics,logs", "default"],
        ["outputs.prometheus.port", "SONDE_PROMETHEUS_PORT", "8889", "default"],
      ]),
    );
  });

  it("aligns its columns", async () => {
    const { lines } = await checked({});
    expect(new Set(lines.map((line) => line.indexOf("SONDE_"))).size).toBe(1);
    expect(new Set(lines.map((line) => line.lastIndexOf("default"))).size).toBe(1);
  });

  it.each([
    ["4294967296", "4GiB"],
    ["1048576", "1MiB"],
    ["1048577", "1048577"],
  ])("shows %s bytes as %s, which can be written back", async (bytes, shown) => {
    const { lines } = await checked({ env: { SONDE_LOG_MAX_BYTES: bytes } });
    expect(lines.find((line) => line.startsWith("log_max_bytes"))).toContain(`  ${shown} `);
  });

  it("masks secrets, but says that they are there", async () => {
    const { lines, exitCode } = await checked({
      env: {
        SONDE_ELASTICSEARCH_URL: "https://e/path",
        SONDE_ELASTICSEARCH_USERNAME: "me",
        SONDE_ELASTICSEARCH_PASSWORD_FILE: "password",
        SONDE_OTLP_ENDPOINT: "http://u:hunter2@h:1/path",
        SONDE_OTLP_HEADERS: "authorization=hunter2,x=hunter2",
      },
      files: { password: "hunter2" },
    });
    const text = lines.join("\n");
    expect(exitCode).toBe(0);
    expect(text).not.toContain("hunter2");
    expect(text).toMatch(/password +SONDE_\w+ +\*\*\* +variable SONDE_ELASTICSEARCH_PASSWORD_FILE/);
    expect(text).toMatch(/ http:\/\/\*\*\*@h:1\/path /);
    expect(text).toMatch(/ authorization=\*\*\*,x=\*\*\* /);
  });

  it("tells all mistakes with status 2", async () => {
    const { lines, exitCode } = await checked({ yaml: "a: 1\nb: 2", env: { SONDE_LOG: "tape" } });
    expect(exitCode).toBe(2);
    expect(lines).toEqual([
      "sonde.yaml:1 a: no such setting",
      "sonde.yaml:2 b: no such setting",
      'SONDE_LOG: "tape" is not one of disk, memory',
    ]);
  });
});
