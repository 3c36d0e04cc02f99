import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startCollector as startTestCollector } from "../../../sdk/testing/testing.ts";
import type { TestCollector } from "../../../sdk/testing/testing.ts";
import { cleanEnv, startCollector } from "../../support/collector-process.ts";
import { runSonde } from "../../support/run-sonde.ts";
import { until } from "../../support/until.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A web server that is asked once, by itself, and ends. */
const app = `
  const http = require("node:http");
  const server = http.createServer((request, response) => response.end("hello"));
  server.listen(0, "127.0.0.1", () => {
    http.get({ port: server.address().port, agent: false }, (answer) => {
      answer.resume().on("end", () => server.close());
    });
  });
`;

let folder: string;
let collector: TestCollector;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sonde-run-"));
  writeFileSync(join(folder, "package.json"), '{ "name": "named-by-its-package" }');
  writeFileSync(join(folder, "app.js"), app);
  collector = await startTestCollector();
});

afterEach(async () => {
  await collector.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Started {
  readonly env?: Readonly<Record<string, string>>;
  readonly main?: string;
  readonly options?: readonly string[];
}

function start(args: readonly string[], { env = {}, main = root, options = [] }: Started = {}) {
  const file = join(main, "collector/main.ts");
  const child = spawn(process.execPath, ["--conditions=source", ...options, file, ...args], {
    env: cleanEnv({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...env }),
    cwd: folder,
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal }));
  });
  return { child, output, ended };
}

/** Prints a variable as the program sees it. */
const show = (name: string) => ["node", "-p", `process.env["${name}"]`];

describe("the program", () => {
  test("reads, prints and ends as it would alone", async () => {
    const code = `process.stdin.pipe(process.stdout); console.error("told"); process.exitCode = 5`;
    const { child, output, ended } = start(["run", "--", "node", "-e", code]);
    child.stdin.end("what it reads");
    expect(await ended).toEqual({ code: 5, signal: null });
    expect(output).toEqual({ stdout: "what it reads", stderr: "told\n" });
  });

  test("gets the signals itself, and one that ends it is seen outside", async () => {
    const code = `console.log(process.pid); setInterval(() => {}, 1000)`;
    const { child, output, ended } = start(["run", "--", "node", "-e", code]);
    await until("it runs", () => output.stdout !== "");
    expect(Number(output.stdout)).toBe(child.pid);
    child.kill("SIGINT");
    expect(await ended).toEqual({ code: null, signal: "SIGINT" });
  });

  test("that is no Node ignores no signal that it would not ignore alone", async () => {
    const { output, ended } = start(["run", "grep", "SigIgn", "/proc/self/status"]);
    await ended;
    expect(output.stdout).toBe("SigIgn:\t0000000000000000\n");
  });

  test("may be a script that only a shell would run", async () => {
    const file = join(folder, "script");
    writeFileSync(file, "exit 6\n", { mode: 0o755 });
    const without = start(["run", "--", "./script"]);
    expect(await without.ended).toEqual({ code: 6, signal: null });
    writeFileSync(file, "#!/no/such/interpreter\n");
    const wrong = start(["run", "--", "./script"]);
    expect(await wrong.ended).toEqual({ code: 1, signal: null });
    expect(wrong.output.stderr).toMatch(/^sonde: \S+script: spawn \S+ ENOENT\n$/);
  });

  test("that is not there is status 127, a wrong call 2", async () => {
    const missing = await runSonde(["run", "no-such-program"], { dataDir: folder });
    expect(missing).toEqual({
      status: 127,
      stdout: "",
      stderr: "sonde: no-such-program: no such program\n",
    });
    const nothing = await runSonde(["run"], { dataDir: folder });
    expect(nothing.status).toBe(2);
    expect(nothing.stderr).toMatch(/^sonde: a program is missing/);
    const option = await runSonde(["run", "--cofnig", "x", "--", "true"], { dataDir: folder });
    expect([option.status, option.stderr]).toEqual([
      2,
      'sonde: unknown option "--cofnig"; see sonde run --help\n',
    ]);
  });
});

describe("the SDK", () => {
  test("observes Nodes in other folders, under the name of the package they belong to", async () => {
    mkdirSync(join(folder, "else where"));
    const command = `cd "else where" && node ../app.js`;
    const { output, ended } = start(["run", "--", "sh", "-c", command]);
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(output.stderr).toBe("");
    const spans = await collector.spans({ service: "named-by-its-package" }, { count: 2 });
    expect(spans.map(({ kind }) => kind).toSorted()).toEqual(["client", "server"]);
  });

  test("is there once, beside what NODE_OPTIONS hold", async () => {
    const env = { NODE_OPTIONS: "--no-warnings" };
    const once = start(["run", "--", ...show("NODE_OPTIONS")], { env });
    await once.ended;
    expect(once.output.stdout).toBe(`--no-warnings --require ${root}sdk/register.ts\n`);
    const main = join(root, "collector/main.ts");
    const again = ["run", "--", "node", "--conditions=source", main, "run", "--"];
    const twice = start([...again, ...show("NODE_OPTIONS")], { env });
    await twice.ended;
    expect(twice.output.stdout).toBe(once.output.stdout);
    const given = { NODE_OPTIONS: `--import file://${root}sdk/register.ts` };
    const { output, ended } = start(["run", "--", "sh", "-c", "echo $NODE_OPTIONS"], {
      env: given,
    });
    await ended;
    expect(output.stdout).toBe(`${given.NODE_OPTIONS}\n`);
  });

  test("is found in a folder with blanks in its name", async () => {
    const main = join(folder, "a folder");
    symlinkSync(root, main);
    const options = ["--preserve-symlinks", "--preserve-symlinks-main"];
    const { output, ended } = start(["run", "--", "node", "app.js"], { main, options });
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(output.stderr).toBe("");
    await collector.spans({}, { count: 2 });
  });

  test("is started in what npm starts", async () => {
    const scripts = { start: "node app.js" };
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "by-npm", scripts }));
    const { ended } = start(["run", "--", "npm", "start"]);
    expect(await ended).toMatchObject({ code: 0 });
    await collector.spans({ service: "by-npm" }, { count: 2 });
  });

  test.each(["npm-cli.js", "pnpm.cjs", "yarn"])("is not started in %s", async (name) => {
    writeFileSync(join(folder, name), app);
    const { output, ended } = start(["run", "--", "node", name]);
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(output.stderr).toBe("");
    expect(collector.received).toEqual({ spans: [], logs: [], metrics: [] });
  });

  test.each([
    [{ OTEL_SERVICE_NAME: "given" }, "given"],
    [{ OTEL_RESOURCE_ATTRIBUTES: "a=b,service.name=given" }, "undefined"],
    [{}, "named-by-its-package"],
  ])("with %o the service name is %s", async (env, name) => {
    const { output, ended } = start(["run", "--", ...show("OTEL_SERVICE_NAME")], { env });
    await ended;
    expect(output.stdout).toBe(`${name}\n`);
  });
});

describe("the collector", () => {
  /** Of what "sonde log" shows of a segment: batches, then spans. */
  const twoSpans = /^0000000000000000\.segment +\S+ KiB +0–1 +2 +2 /m;
  const endpoint = show("OTEL_EXPORTER_OTLP_ENDPOINT");

  test("is the one that the environment names", async () => {
    const { output, ended } = start(["run", "--", ...endpoint]);
    await ended;
    expect(output.stdout).toBe(`${collector.url}\n`);
  });

  test.each([
    ["http/protobuf", "otlpHttp"],
    ["grpc", "otlpGrpc"],
  ] as const)("that runs here is found, for %s", async (protocol, which) => {
    const running = await startCollector({ dataDir: folder });
    const ran = await runSonde(["run", "--", ...endpoint], {
      dataDir: folder,
      env: { OTEL_EXPORTER_OTLP_PROTOCOL: protocol },
    });
    expect(ran.stderr).toBe("");
    expect(ran.stdout).toBe(`${running[which].replace("grpc:", "http:")}\n`);
    await running.kill("SIGTERM");
  });

  test("that asks for a token gets it, since its settings are known here", async () => {
    const env = { SONDE_AUTH_TOKEN: "a-token-of-enough-letters" };
    const running = await startCollector({ dataDir: folder, env });
    const ran = await runSonde(["run", "--", "node", "app.js"], { dataDir: folder, env });
    expect(ran).toEqual({ status: 0, stdout: "", stderr: "" });
    const log = await runSonde(["log"], { dataDir: folder, env });
    expect(log.stdout).toMatch(twoSpans);
    await running.kill("SIGTERM");
  });

  test("is started if none runs, takes the last words, and ends with the program", async () => {
    const env = {
      SONDE_OTLP_HTTP_PORT: "0",
      SONDE_OTLP_GRPC_PORT: "0",
      SONDE_PROMETHEUS_PORT: "0",
    };
    const code = `${app}; process.on("exit", () => console.log(process.ppid))`;
    writeFileSync(join(folder, "app.js"), code);
    const ran = await runSonde(["run", "--", "node", "app.js"], { dataDir: folder, env });
    expect(ran.status).toBe(0);
    expect(ran.stderr).toMatch(/^sonde: a collector was started for the program, on http:\S+\n$/);
    const log = await runSonde(["log"], { dataDir: folder, env });
    expect(log.stdout).toMatch(twoSpans);
  });

  test("that was started ends when sonde is killed", async () => {
    const env = {
      SONDE_DATA_DIR: folder,
      SONDE_OTLP_HTTP_PORT: "0",
      SONDE_OTLP_GRPC_PORT: "0",
      SONDE_PROMETHEUS_PORT: "0",
      SONDE_WEB_PORT: "0",
      OTEL_EXPORTER_OTLP_ENDPOINT: "",
    };
    const { child, output, ended } = start(["run", "--", "cat"], { env });
    const url = await until("it is started", () => /on (http\S+)/.exec(output.stderr)?.[1]);
    child.kill("SIGKILL");
    await ended;
    await until("it is gone", () =>
      fetch(url).then(
        () => false,
        () => true,
      ),
    );
  });
});
