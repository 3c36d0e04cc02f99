// The same five requests to an app of each framework, as real processes.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { appFile, startApp } from "./support/app.ts";
import { plain, startSink } from "./support/sink.ts";

const paths = [
  "/items/5",
  "/items/5/orders/9/lines/1",
  "/items/5/orders/9",
  "/items/5/orders/9/fail/now",
  "/nowhere",
];

const colons = [
  "/items/:id",
  "/items/:id/orders/:order/lines/:line",
  "/items/:id/orders/:order",
  "/items/:id/orders/:order/fail/:how",
  undefined,
];

const braces = colons.map((route) => route?.replaceAll(/:(\w+)/g, "{$1}"));

test.each([
  ["express", "main.cjs", colons],
  ["express", "main.mjs", colons],
  ["koa", "main.cjs", colons],
  ["koa", "main.mjs", colons],
  ["fastify", "main.cjs", colons],
  ["fastify", "main.mjs", colons],
  ["hapi", "main.cjs", braces],
  ["hapi", "main.mjs", braces],
  ["nest", "main.cjs", colons],
  ["nest", "main.mjs", colons],
])(
  "%s names its spans by route, mounts included, and tells what was thrown: %s",
  async (framework, file, routes) => {
    expect(await routesOf(framework, file)).toEqual(expectedOf(routes));
  },
);

test.each([
  ["express", false],
  ["express", true],
  ["express4", false],
  ["express4", true],
])(
  "%s in a bundle, where nobody sees it being loaded, has its routes all the same; minified: %j",
  async (framework, minify) => {
    const folder = mkdtempSync(join(tmpdir(), "sonde-bundle-"));
    const outfile = join(folder, "app.cjs");
    const contents = `require("./app.cjs").express(require("${framework}"))`;
    const resolveDir = dirname(appFile("routes/app.cjs"));
    const options = { bundle: true, minify, platform: "node", logLevel: "silent" } as const;
    await build({ stdin: { contents, resolveDir }, outfile, ...options });
    const found = await routesOf("", outfile);
    // The one that throws is the first, and nothing of express has been seen before.
    const [failing] = await routesOf("", outfile, paths.slice(3, 4));
    rmSync(folder, { recursive: true });
    expect(found).toEqual(expectedOf(colons));
    expect(failing).toEqual(expectedOf(colons)[3]);
  },
);

test("another copy of express, under another name, has its routes", async () => {
  expect(await routesOf("express4", "main.cjs")).toEqual(expectedOf(colons));
});

function expectedOf(
  routes: readonly (string | undefined)[],
  thrown = "as asked",
): readonly unknown[] {
  return routes.map((route, index) => [
    route === undefined ? "GET" : `GET ${route}`,
    route,
    [200, 200, 200, 500, 404][index],
    ...(index === 3 && thrown !== "" ? [thrown] : []),
  ]);
}

async function routesOf(
  framework: string,
  file: string,
  asked = paths,
): Promise<readonly unknown[]> {
  const sink = await startSink();
  const app = startApp(isAbsolute(file) ? file : appFile(`routes/${file}`), {
    args: [framework],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url },
  });
  const url = await app.url();
  for (const path of asked) await (await fetch(url + path)).text();
  const { stderr } = await app.stop();
  await sink.close();
  expect(stderr.replace(/^.* is a bundle: .* what else it holds.*\n/, "")).toBe(""); // minified
  return sink.spans.map(({ name, attributes, events = [] }) => [
    name,
    attributes["http.route"],
    attributes["http.response.status_code"],
    ...events.map((event) => plain(event.attributes)["exception.message"]),
  ]);
}
