// Whatever starts the app: another Node, a loader for TypeScript, a bundler, options that take things away.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build as esbuild, type BuildOptions } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tree } from "../../sdk/testing/testing.ts";
import { build, type Built } from "../support/build.ts";
import { nodeOf, onDemand } from "../support/on-demand.ts";
import { expectWebAppIsObserved, launch, root } from "./support/launch.ts";

const apps = "test/sdk/apps"; // seen from the folder in which they are run
const web = [`${apps}/web/main.cjs`, `${apps}/web/main.mjs`];
const typed = [`${apps}/typed/main.cts`, `${apps}/typed/main.mts`];
const node = process.execPath;

const readable = [`--allow-fs-read=${root}`, `--allow-fs-read=${join(root, "node_modules")}/`];
const permission = [...readable, "--no-warnings", "--permission"];

describe.each([22, 24, 26])("Node %i", (major) => {
  const given = nodeOf(major);
  const other = given ?? "";

  test.skipIf(!given).each(web)("observes %s", async (file) => {
    await expectWebAppIsObserved([other, file]);
  });

  test.skipIf(!given).each([
    ["natural", { code: 4, signal: null }],
    ["exit", { code: 3, signal: null }],
    ["throw", { code: 1, signal: null }],
    ["reject", { code: 1, signal: null }],
    ["sigterm", { code: null, signal: "SIGTERM" }],
  ])("keeps the last span at %s", async (ending, expected) => {
    for (const file of ["main.cjs", "main.mjs"]) {
      const app = await launch([other, join(apps, "exit", file), ending]);
      expect(await app.ended).toEqual(expected);
      await app.collector.spans({ name: "last" });
      await app.collector.logs({ body: "last words" });
    }
  });

  test.skipIf(!given).each([
    ["natural", "worker 0\n"],
    ["exit", "worker 3\n"],
  ])("a thread that ends by %s loses nothing", async (ending, told) => {
    for (const file of ["main.cjs", "main.mjs"]) {
      const app = await launch([other, join(apps, "threads", file), ending]);
      expect(await app.ended).toEqual({ code: 0, signal: null });
      expect(app.output).toEqual({ stdout: told, stderr: "" });
      const found = await app.collector.spans({}, { count: 4 });
      const instances = found.map(({ resource }) => resource["service.instance.id"]);
      expect(new Set(instances).size).toBe(2);
    }
  });

  // Express itself does not run with it.
  test.skipIf(!given)("--frozen-intrinsics", async () => {
    const frozen = [other, "--frozen-intrinsics"];
    const app = await launch([...frozen, join(apps, "plain/main.cjs")]);
    await fetch(await app.url());
    await app.collector.spans({ kind: "server", name: "GET" });
    const ended = await launch([...frozen, join(apps, "exit/main.mjs"), "exit"]);
    expect(await ended.ended).toEqual({ code: 3, signal: null });
    await ended.collector.spans({ name: "last" });
    expect(app.output.stderr + ended.output.stderr).not.toContain("sonde");
  });

  test.skipIf(!given)("--permission with what is needed: all is as ever", async () => {
    const net = major >= 25 ? ["--allow-net"] : [];
    const options = [...permission, ...realModules(), ...net, "--allow-child-process"];
    for (const file of web) await expectWebAppIsObserved([other, ...options, file]);
    const app = await launch([other, ...options, join(apps, "exit/main.cjs"), "exit"]);
    expect(await app.ended).toEqual({ code: 3, signal: null });
    expect(app.output).toEqual({ stdout: "exit 3\n", stderr: "" });
    await app.collector.spans({ name: "last" });
  });
});

describe("TypeScript", () => {
  test.each(typed)("as Node itself runs it: %s", async (file) => {
    await expectWebAppIsObserved([node, file]);
  });

  test.each(typed)("by the command tsx: %s", async (file) => {
    // It ends so without the SDK, too.
    const ends = { code: 143, signal: null };
    await expectWebAppIsObserved([join(root, "node_modules/.bin/tsx"), file], { ends });
  });

  test.each(typed)("by node --import tsx: %s", async (file) => {
    await expectWebAppIsObserved([node, "--import", "tsx", file]);
  });
});

// It needs TypeScript's older self, so neither is among the packages of the repository.
describe("ts-node", () => {
  const folder = onDemand("ts-node-10.9.2", ["ts-node@10.9.2", "typescript@5.9.3"]);
  const modules = join(folder ?? "", "node_modules");
  const env = {
    TS_NODE_TRANSPILE_ONLY: "true",
    TS_NODE_COMPILER: join(modules, "typescript"),
    TS_NODE_SKIP_PROJECT: "true",
    TS_NODE_COMPILER_OPTIONS: '{"module":"nodenext","moduleResolution":"nodenext"}',
    NODE_OPTIONS: "",
  };

  // It leaves packages alone, which we are to an app; our source, as TypeScript, it would not.
  let built: Built;
  beforeAll(async () => {
    built = await build();
    env.NODE_OPTIONS = `--require "${built.register}"`;
  });
  afterAll(() => built.remove());

  test.skipIf(!folder)("as a command, CommonJS", async () => {
    await expectWebAppIsObserved([node, join(modules, "ts-node/dist/bin.js"), typed[0]!], { env });
  });

  test.skipIf(!folder)("as a loader, ES modules", async () => {
    const options = ["--no-warnings", "--loader", join(modules, "ts-node/esm.mjs")];
    await expectWebAppIsObserved([node, ...options, typed[1]!], { env });
  });
});

describe("options of Node", () => {
  test.each(["--enable-source-maps", "--disable-proto=throw"])("%s", async (option) => {
    for (const file of web) await expectWebAppIsObserved([node, option, file]);
  });
});

describe("--permission", () => {
  test("without child processes only the last words at process.exit() are lost, and told of", async () => {
    const options = [...permission, ...realModules()];
    const app = await launch([node, ...options, join(apps, "exit/main.cjs"), "exit"]);
    expect(await app.ended).toEqual({ code: 3, signal: null });
    expect(app.output.stdout).toBe("exit 3\n");
    expect(app.output.stderr).toMatch(/^sonde: what was not sent .* --allow-child-process .*\n$/);
    await expectWebAppIsObserved([node, ...options, web[0] ?? ""]);
  });

  const newest = nodeOf(26);
  test.skipIf(!newest)("without the network the app runs, and one line tells why", async () => {
    const options = [...permission, ...realModules()];
    const app = await launch([newest ?? "", ...options, join(apps, "exit/main.cjs"), "natural"]);
    expect(await app.ended).toEqual({ code: 4, signal: null });
    expect(app.output.stderr).toMatch(/^sonde: cannot send to .* --allow-net .*\n$/);
  });
});

/** Where node_modules is a link, what it links to has to be readable, too. */
function realModules(): string[] {
  const { stdout } = spawnSync(node, ["-p", "fs.realpathSync('node_modules')"], {
    cwd: root,
    encoding: "utf8",
  });
  return [`--allow-fs-read=${stdout.trim()}/`];
}

describe("a read-only file system", () => {
  // Within a mount namespace of its own nothing can be written anywhere.
  const script = 'mount -o remount,bind,ro / && ! touch /tmp/x 2>/dev/null && exec "$@"';
  const readOnly = ["unshare", "--mount", "sh", "-c", script, "sh"];
  const isThere = spawnSync(readOnly[0] ?? "", [...readOnly.slice(1), "true"]).status === 0;
  if (!isThere) process.stderr.write("\n  SKIPPED: no read-only file system can be made here\n\n");

  test.skipIf(!isThere).each(web)("is enough for %s", async (file) => {
    await expectWebAppIsObserved([...readOnly, node, file]);
  });

  test.skipIf(!isThere)("is enough for the last words at process.exit()", async () => {
    const app = await launch([...readOnly, node, join(apps, "exit/main.cjs"), "exit"]);
    expect(await app.ended).toEqual({ code: 3, signal: null });
    await app.collector.spans({ name: "last" });
  });
});

/** Runs a bundle of the web app, whose requests have to be traced, and gives what it is told. */
async function traced(file: string): Promise<string> {
  const app = await launch([node, file]);
  await fetch(`${await app.url()}/items/5`);
  const [root] = await app.collector.spans({
    kind: "server",
    attributes: { "url.path": "/items/5" },
  });
  const trace = await app.collector.spans({ traceId: root?.traceId ?? "" }, { count: 7 });
  expect(tree(trace).replaceAll(/ \/\S+/g, "")).toBe(
    [
      "GET  server  app",
      "├─ GET  client  app",
      "│  └─ GET  server  app",
      "├─ GET  client  app",
      "│  └─ GET  server  app",
      "└─ GET  client  app",
      "   └─ GET  server  app",
    ].join("\n"),
  );
  await app.collector.logs({ body: "from console", traceId: root?.traceId ?? "" });
  app.child.kill("SIGTERM");
  await app.ended;
  const [line = "", ...more] = app.output.stderr.split("\n");
  expect(more).toEqual(["from console", ""]);
  return line;
}

describe("a bundle by webpack or Vite", () => {
  const packages = ["webpack@5.112.2", "webpack-cli@7.3.1", "vite@8.3.8"];
  const bundlers = onDemand("bundlers-1", packages);
  const modules = join(bundlers ?? "", "node_modules");
  let folder: string;
  beforeAll(() => void (folder = mkdtempSync(join(root, apps, "bundle-"))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (...args: readonly string[]): void => {
    const { status, stdout, stderr } = spawnSync(node, args, { cwd: root, encoding: "utf8" });
    if (status !== 0) throw new Error(stdout + stderr);
  };

  test.skipIf(!bundlers).each([
    ["production", /^sonde: .* is a bundle: .*what else it holds.* cannot be; leave it outside/],
    ["development", /^sonde: .* is a bundle: .*pino, winston cannot be; leave it outside/],
  ])("webpack, for %s", async (mode, told) => {
    const cli = join(modules, "webpack-cli/bin/cli.js");
    const options = [
      "--mode",
      mode,
      "--devtool",
      "false",
      "--target",
      "node",
      "--output-filename",
      "app.cjs",
    ];
    const out = join(folder, mode);
    run(cli, "build", ...options, "--entry", `./${web[0]}`, "--output-path", out);
    expect(await traced(join(out, "app.cjs"))).toMatch(told);
  });

  test.skipIf(!bundlers)("Vite, for a server", async () => {
    const config = join(folder, "vite.config.mjs");
    const output = '{ entryFileNames: "app.mjs" }';
    writeFileSync(
      config,
      `export default { build: { rolldownOptions: { output: ${output} } }, ssr: { noExternal: true } };`,
    );
    const out = join(folder, "vite");
    const options = ["--config", config, "--ssr", web[1] ?? "", "--outDir", out];
    run(join(modules, "vite/bin/vite.js"), "build", ...options);
    expect(await traced(join(out, "app.mjs"))).toMatch(
      /^sonde: .* is a bundle: .*pino, winston cannot be; leave it outside/,
    );
  });
});

describe("a bundle by esbuild", () => {
  let folder: string;
  beforeAll(() => void (folder = mkdtempSync(join(root, apps, "bundle-"))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const bundle = async (file: string, options: BuildOptions = {}): Promise<string> => {
    const isModule = file.endsWith(".mjs");
    const outfile = join(folder, `${Object.keys(options).join("")}app.${isModule ? "mjs" : "cjs"}`);
    const require =
      'import{createRequire as from}from"node:module";const require=from(import.meta.url);';
    await esbuild({
      entryPoints: [file],
      bundle: true,
      platform: "node",
      format: isModule ? "esm" : "cjs",
      banner: isModule ? { js: require } : {},
      outfile,
      logLevel: "silent",
      ...options,
    });
    return outfile;
  };

  test.each(web)(
    "tells what it hides and how to mend it; requests are traced: %s",
    async (file) => {
      expect(await traced(await bundle(file))).toMatch(
        /^sonde: test\S+ is a bundle: .*pino, winston cannot be; leave .*--external:pino/,
      );
    },
  );

  test("that is minified tells as much as can be known", async () => {
    const app = await launch([node, await bundle(web[0] ?? "", { minify: true })]);
    await app.url();
    app.child.kill("SIGTERM");
    await app.ended;
    expect(app.output.stderr).toMatch(/^sonde: .* is a bundle: .*--packages=external\n$/);
  });

  test("with the packages outside of it is as good as none", async () => {
    const file = await bundle(web[0] ?? "", { packages: "external" });
    await expectWebAppIsObserved([node, file]);
  });
});
