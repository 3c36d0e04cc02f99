import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cleanEnv, type CollectorProcess, startCollector } from "../support/collector-process.ts";
import { listenLocally } from "../support/listen.ts";
import { sampleBatch } from "../support/otlp.ts";
import { post } from "../support/post.ts";
import { startSink } from "../support/sink.ts";
import { until } from "../support/until.ts";

const main = fileURLToPath(new URL("../../collector/main.ts", import.meta.url));

let folder: string;
let collector: CollectorProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-command-"));
});

afterEach(async () => {
  await collector?.kill("SIGKILL");
  collector = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** Runs to its end; for what must not start. */
function sonde(args: readonly string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--conditions=source", main, ...args],
    {
      env: cleanEnv({ SONDE_DATA_DIR: folder, ...env }),
      cwd: folder,
      encoding: "utf8",
      timeout: 20_000,
    },
  );
  return { status, stdout, stderr };
}

const send = (url: string, items: number): Promise<number> =>
  post(url, "traces", sampleBatch("traces", { items }).bytes);

describe("sonde", () => {
  test("--version says the version of the package", () => {
    const { version } = JSON.parse(
      readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
    ) as { version: string };
    expect(sonde(["--version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
  });

  test("--help names every command", () => {
    const { status, stdout } = sonde(["--help"]);
    expect(status).toBe(0);
    for (const command of ["[serve]", "check", "where", "dead", "log"]) {
      expect(stdout).toContain(`sonde ${command}`);
    }
  });

  test.each(["where", "dead", "log"])(
    "%s --help says how it is called and how it ends",
    (command) => {
      for (const args of [
        [command, "--help"],
        ["--help", command],
      ]) {
        const { status, stdout, stderr } = sonde(args);
        expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
        expect(stdout).toContain(`  sonde ${command} `);
        expect(stdout).toMatch(/Exit status: 0 .*; 1 .*; 2 /);
      }
    },
  );

  test.each([
    [["servee"], 'sonde: no such command "servee"; did you mean "serve"?\n'],
    [["--config", "x.yaml", "logs"], 'sonde: no such command "logs"; did you mean "log"?\n'],
    [["nonsense"], 'sonde: no such command "nonsense"; see sonde --help\n'],
    [["serve", "now"], 'sonde: "now" is too much behind "serve"; see sonde --help\n'],
    [["--colour"], "sonde: Unknown option '--colour'; see sonde --help\n"],
  ])("%j is answered with status 2", (args, message) => {
    expect(sonde(args)).toEqual({ status: 2, stdout: "", stderr: message });
  });
});

describe("sonde check", () => {
  test("shows every setting with both its names, its value and where it is from", () => {
    writeFileSync(join(folder, "sonde.yaml"), "otlp_http_port: 4000\n");
    const { status, stdout } = sonde(["check"], { SONDE_JAEGER_ENDPOINT: "grpc://jaeger:4317" });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^otlp_http_port +SONDE_OTLP_HTTP_PORT +4000 +sonde.yaml:1$/m);
    expect(stdout).toMatch(/^otlp_grpc_port +SONDE_OTLP_GRPC_PORT +4317 +default$/m);
    expect(stdout).toMatch(
      /^outputs.jaeger.endpoint +SONDE_JAEGER_ENDPOINT +grpc:\/\/jaeger:4317 /m,
    );
  });

  test("and serve tell all mistakes at once, with status 2", () => {
    writeFileSync(join(folder, "sonde.yaml"), "outputs:\n  jager:\n    endpoint: grpc://j:1\n");
    for (const command of ["check", "serve"]) {
      const { status, stdout, stderr } = sonde([command], { SONDE_OTLP_HTTP_PORT: "80a" });
      expect(status).toBe(2);
      expect(stdout).toBe("");
      expect(stderr).toMatch(
        /^sonde.yaml:2\S* outputs.jager: no such output type; did you mean "jaeger"\?$/m,
      );
      expect(stderr).toMatch(
        /^SONDE_OTLP_HTTP_PORT: "80a" is not a port; give 0 to 65535, or off$/m,
      );
    }
  });
});

describe("what cannot start says so and ends with status 1", () => {
  const anyPort = {
    SONDE_OTLP_HTTP_PORT: "0",
    SONDE_OTLP_GRPC_PORT: "0",
    SONDE_PROMETHEUS_PORT: "0",
    SONDE_WEB_PORT: "0",
  };

  test.each(["OTLP_HTTP", "OTLP_GRPC", "PROMETHEUS", "WEB"])(
    "a taken %s port",
    async (listener) => {
      const other = createServer();
      const port = await listenLocally(other);
      const { status, stderr } = sonde([], {
        ...anyPort,
        [`SONDE_${listener}_PORT`]: String(port),
      });
      await new Promise((resolve) => other.close(resolve));
      expect(stderr).toMatch(
        /^sonde: \S+: cannot listen on 127\.0\.0\.1:\d+, the port is taken; stop/,
      );
      expect(stderr).toContain(`127.0.0.1:${port}`);
      expect(status).toBe(1);
    },
  );

  test("a data folder that is a file", () => {
    const path = join(folder, "file");
    writeFileSync(path, "");
    const { status, stderr } = sonde([], { ...anyPort, SONDE_DATA_DIR: path });
    expect(stderr).toMatch(/^sonde: data_dir: .*file.* is not a folder/);
    expect(status).toBe(1);
  });

  test("a data folder that cannot be written to", () => {
    const path = join(folder, "locked");
    mkdirSync(path);
    chmodSync(path, 0o500);
    const readOnly = process.getuid?.() === 0 ? "/proc/sonde" : join(path, "data"); // root may write anywhere else
    const { status, stderr } = sonde([], { ...anyPort, SONDE_DATA_DIR: readOnly });
    expect(stderr).toMatch(/^sonde: data_dir: cannot (write to|make) /);
    expect(status).toBe(1);
  });

  test("a data folder that another sonde uses", async () => {
    collector = await startCollector({ dataDir: folder });
    const { status, stderr } = sonde([], anyPort);
    expect(stderr).toMatch(/^sonde: .* is in use by process \d+; stop it or give another data_dir/);
    expect(status).toBe(1);
  });
});

describe("sonde serve", () => {
  test("says one line for each listener, takes data, and is then silent", async () => {
    collector = await startCollector();
    expect(collector.stdout().trim().split("\n").toSorted()).toEqual([
      `sonde: OTLP/HTTP on ${collector.otlpHttp}`,
      `sonde: OTLP/gRPC on ${collector.otlpGrpc}`,
      `sonde: Prometheus metrics on ${collector.prometheus}`,
      `sonde: health and own metrics on ${collector.web}`,
    ]);
    const before = collector.stdout();
    expect(await send(collector.otlpHttp, 5)).toBe(200);
    expect(await collector.metric("sonde_log_items_total", { signal: "traces" })).toBe(5);
    expect(collector.stdout()).toBe(before);
    expect(collector.stderr()).toBe("");
  });

  test("keeps nothing on disk with SONDE_LOG=memory", async () => {
    const sink = await startSink();
    const env = { SONDE_LOG: "memory", SONDE_OTLP_ENDPOINT: sink.url };
    collector = await startCollector({ dataDir: folder, env });
    expect(await send(collector.otlpHttp, 5)).toBe(200);
    await until("it is delivered", () => sink.requests.length === 1);
    expect(readdirSync(folder)).toEqual(["collector.json"]); // where it can be asked
    await sink.close();
  });

  test("at SIGTERM delivers what waits and ends with status 0", async () => {
    const sink = await startSink();
    collector = await startCollector({ env: { SONDE_OTLP_ENDPOINT: sink.url } });
    for (let count = 0; count < 20; count++) expect(await send(collector.otlpHttp, 10)).toBe(200);
    expect(await collector.kill("SIGTERM")).toEqual({ code: 0, signal: null });
    const spans = sink.requests.reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(spans).toBe(20 * sampleBatch("traces", { items: 10 }).bytes.length);
    await sink.close();
  });

  test("at SIGTERM with a dead destination ends soon with status 0 and delivers after the next start", async () => {
    const sink = await startSink();
    const { port } = sink;
    await sink.close();
    const env = { SONDE_OTLP_ENDPOINT: `http://127.0.0.1:${port}` };
    collector = await startCollector({ dataDir: folder, env });
    expect(await send(collector.otlpHttp, 10)).toBe(200);
    expect(await collector.kill("SIGTERM")).toEqual({ code: 0, signal: null });
    const back = await startSink(port);
    collector = await startCollector({ dataDir: folder, env });
    await until("it is delivered", () => back.requests.length === 1);
    await back.close();
  });

  test("tells how it is: health, readiness, and an output that fails", async () => {
    const sink = await startSink();
    sink.misbehave = (response) => !!response.writeHead(500).end("out of order");
    collector = await startCollector({ env: { SONDE_OTLP_ENDPOINT: sink.url } });
    expect((await fetch(`${collector.web}/healthz`)).status).toBe(200);
    expect((await fetch(`${collector.web}/readyz`)).status).toBe(200);
    await send(collector.otlpHttp, 3);
    const { web } = collector;
    const health = await until("it shows the failure", async () => {
      const report = (await (await fetch(`${web}/health`)).json()) as Health;
      return report.outputs.find(({ name, last_error }) => name === "otlp" && last_error);
    });
    expect(health).toMatchObject({
      status: "retrying",
      waiting: { items: { traces: 3 } },
      last_error: { reason: "server_error", detail: "HTTP 500 out of order" },
    });
    expect(collector.stderr()).toMatch(
      /output otlp: server_error, trying again: HTTP 500 out of order/,
    );
    await sink.close();
  });
});

interface Health {
  readonly outputs: readonly { readonly name: string; readonly last_error?: object }[];
}
