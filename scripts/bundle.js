// Makes one file of the SDK, after tsc and in the same folder (dist/, or the one that is given): an app's start pays for each file that is loaded. What every start
// needs of OpenTelemetry's packages is in it, too; the API finds its like by symbols on globalThis, so it does
// not matter how many copies there are. It is CommonJS, because Node needs some time to get its ES module
// loader going, and an app may never need that.
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../", import.meta.url));
const built = join(resolve(root, process.argv[2] ?? "dist"), "sdk");

const inlined = [
  "@opentelemetry/api",
  "@opentelemetry/core",
  "@opentelemetry/resources",
  "@opentelemetry/sdk-metrics",
];

/** In place of sdk/packages.ts, which finds everything as files. */
function packages(source) {
  const own = [...source.matchAll(/^ {2}"(\.[^"]+)": typeof/gm)].map(([, name]) => name);
  return [
    `import { createRequire } from "node:module";`,
    ...inlined.map((name, index) => `import * as package${index} from "${name}";`),
    `const inlined = { ${inlined.map((name, index) => `"${name}": package${index}`).join(", ")} };`,
    // Run when they are asked for, like the files that they are otherwise.
    `const own = { ${own.map((name) => `"${name}": () => require("${name}.ts")`).join(", ")} };`,
    `const find = createRequire(__filename);`,
    `export const load = (name) => inlined[name] ?? find(name);`,
    `export const loadOwn = (name) => own[name]();`,
  ].join("\n");
}

const inlining = {
  name: "inlining",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^[@a-z]/ }, ({ path, importer }) =>
      inlined.includes(path) || importer.includes("node_modules")
        ? undefined
        : { path, external: true },
    );
    onLoad({ filter: /[/\\]sdk[/\\]packages\.ts$/ }, ({ path }) => ({
      contents: packages(readFileSync(path, "utf8")),
      loader: "js",
    }));
  },
};

await build({
  absWorkingDir: root,
  entryPoints: { sonde: "sdk/index.ts" },
  outdir: built,
  outExtension: { ".js": ".cjs" },
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node22.15",
  define: { "import.meta.url": "fileUrl" },
  banner: {
    js: `// Parts of this are by the OpenTelemetry Authors, under the Apache License 2.0: ${inlined.join(", ")}.
"use strict";
const fileUrl = require("node:url").pathToFileURL(__filename).href;`,
  },
  plugins: [inlining],
  logLevel: "warning",
});

writeFileSync(join(built, "register.cjs"), `"use strict";\nrequire("./sonde.cjs").start();\n`);
writeFileSync(join(built, "register.js"), `import "./register.cjs";\n`);
writeFileSync(join(built, "index.js"), `export * from "./sonde.cjs";\n`);
