// Makes few files of the SDK, after tsc and in the same folder (dist/, or the one that is given): an app's start pays
// for each file that is loaded, and for all that stands in it.
//
//   sonde.cjs           what every start needs, of OpenTelemetry's packages too
//   index.cjs           what apps import
//   later.cjs           what few apps need, by loadOwn of sdk/packages.ts
//   opentelemetry.cjs   what makes an app's own instruments
//
// The API finds its like by symbols on globalThis, so it does not matter how many copies there are; of our own modules
// there is one each, in the first of these files that has it. They are CommonJS, because Node needs some time
// to get its ES module loader going, and an app may never need that.
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../", import.meta.url));
const built = join(resolve(root, process.argv[2] ?? "dist"), "sdk");

/** Of the first all, of the second what is imported from it. */
const inlined = ["@opentelemetry/api", "@opentelemetry/core"];
const forInstruments = [
  "@opentelemetry/core",
  "@opentelemetry/resources",
  "@opentelemetry/sdk-metrics",
];
/** Of what is loaded by loadOwn, what nearly every app comes to need. */
const always = ["./metrics/encode", "./metrics/own", "./metrics/process", "./metrics/runtime"];

/** In place of sdk/packages.ts, which finds everything as files. */
function packages() {
  return `
    import { createRequire } from "node:module";
    import * as api from "@opentelemetry/api";
    ${always.map((name, index) => `import * as own${index} from "${name}.ts";`).join("\n")}
    export function load(name) {
      if (name === "@opentelemetry/api") return api;
      if (${JSON.stringify(forInstruments)}.includes(name)) return find("./opentelemetry.cjs")[name];
      return find(name);
    }
    export function loadOwn(name) {
      switch (name) {
        ${always.map((name, index) => `case "${name}": return own${index};`).join("\n")}
        default: return find("./later.cjs")[name]();
      }
    }
    var found;
    function find(name) {
      found ??= createRequire(__filename);
      return found(name);
    }`;
}

/** Run when they are asked for, like the files that they are otherwise. */
function later() {
  const source = readFileSync(join(root, "sdk/packages.ts"), "utf8");
  const names = [...source.matchAll(/^ {2}"(\.[^"]+)": typeof/gm)].map(([, name]) => name);
  const rare = names.filter((name) => !always.includes(name));
  return `module.exports = { ${rare.map((name) => `"${name}": () => require("${name}.ts")`).join(", ")} };`;
}

/** @param {ReadonlyMap<string, string>} [elsewhere] what is in sonde.cjs already, as it is named there */
function inlining(elsewhere = new Map()) {
  return {
    name: "inlining",
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^[@a-z]/ }, ({ path, importer }) =>
        inlined.includes(path) || importer.includes("node_modules")
          ? undefined
          : { path, external: true },
      );
      onLoad({ filter: /[/\\]sdk[/\\]packages\.ts$/ }, () =>
        elsewhere.size > 0 ? undefined : { contents: packages(), loader: "js" },
      );
      onResolve({ filter: /^\..*\.ts$/ }, ({ path, resolveDir }) => {
        const file = nameOf(join(resolveDir, path));
        if (!elsewhere.has(file)) return undefined;
        used.add(file);
        return { path: file, namespace: "elsewhere" };
      });
      onLoad({ filter: /^/, namespace: "elsewhere" }, ({ path }) => ({
        contents: `module.exports = require("./sonde.cjs")["${elsewhere.get(path)}"];`,
        loader: "js",
      }));
    },
  };
}
const used = new Set();

const nameOf = (file) => relative(root, file).split(sep).join("/");

const notice = "// Parts of this are by the OpenTelemetry Authors, under the Apache License 2.0:";
const own = {
  js: `${notice} ${inlined.join(", ")}.
"use strict";
const fileUrl = require("node:url").pathToFileURL(__filename).href;`,
};

function bundle(name, contents, more) {
  return build({
    absWorkingDir: root,
    stdin: { contents, resolveDir: join(root, "sdk"), loader: "js" },
    outfile: join(built, `${name}.cjs`),
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node22.15",
    external: ["./sonde.cjs"],
    define: { "import.meta.url": "fileUrl" },
    banner: own,
    minify: true,
    metafile: true,
    logLevel: "warning",
    ...more,
  });
}

const start = `export { start } from "./start.ts";`;
const { metafile } = await bundle("sonde", start, { plugins: [inlining()], write: false });
const first = new Map(
  Object.keys(metafile.inputs)
    .filter((file) => /^(sdk|collector)\//.test(file))
    .map((file, index) => [file, `own${index}`]),
);
const plugins = [inlining(first)];
await bundle("index", `export * from "./index.ts";`, { plugins });
await bundle("later", later(), { plugins });
const shared = [...used].map((file) => `export * as ${first.get(file)} from "../${file}";`);
await bundle("sonde", [start, ...shared].join("\n"), { plugins: [inlining()] });
await bundle(
  "opentelemetry",
  forInstruments
    .map(
      (name, index) => `import * as p${index} from "${name}"; export { p${index} as "${name}" };`,
    )
    .join("\n"),
  { banner: { js: `${notice} @opentelemetry/api, ${forInstruments.join(", ")}.\n"use strict";` } },
);

writeFileSync(join(built, "register.cjs"), `"use strict";\nrequire("./sonde.cjs").start();\n`);
writeFileSync(join(built, "register.js"), `import "./register.cjs";\n`);
writeFileSync(join(built, "index.js"), `export * from "./index.cjs";\n`);
