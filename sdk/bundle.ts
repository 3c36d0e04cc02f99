// Libraries that were bundled into the app's file pass no module hook. What Node itself tells of — requests,
// fetch, console — is instrumented all the same; of the rest the user is told, with what can be done.

import { readFileSync, statSync } from "node:fs";
import { relative } from "node:path";

/** A line for the user, if the app is a bundle that hides one of the libraries. */
export function hiddenByBundle(
  file: string | undefined,
  libraries: readonly string[],
  text = textOfBundle(file),
): string | undefined {
  if (file === undefined || text === undefined) return undefined;
  const held = packagesIn(text);
  const found = libraries.filter((name) => held.has(name));
  // A minified bundle does not tell what it holds; any other does, and holds none of ours.
  if (found.length === 0 && held.size > 0 && pathComment.test(text)) return undefined;
  const which = found.length > 0 ? found.join(", ") : "what else it holds, such as drivers,";
  const outside =
    found.length > 0 ? found.map((name) => `--external:${name}`) : ["--packages=external"];
  return (
    `${relative(process.cwd(), file)} is a bundle: requests, fetch and console are instrumented, ` +
    `${which} cannot be; leave it outside, with esbuild by ${outside.join(" ")}`
  );
}

/** Undefined if the app is none. */
export function textOfBundle(file: string | undefined): string | undefined {
  const text = file === undefined ? undefined : read(file);
  return text !== undefined && bundled.test(text) ? text : undefined;
}

/** What esbuild, webpack and Vite put around a CommonJS module, spelt out and minified. */
const bundled =
  /__commonJS(?:Min)?\b|__webpack_require__|\(\(\w+=\{exports:\{\}\}\)\.exports,|exports:\{\}\};return \w+\[/;

/** Before each module. Bounded, as all patterns here: a minified bundle is one line of megabytes. */
const pathComment = /^\/\/(?:#region)? [\w./@+-]{0,200}node_modules\/|"\.\/node_modules\//m;

function packagesIn(text: string): ReadonlySet<string> {
  const names = new Set<string>();
  const mark = "node_modules/";
  for (let at = text.indexOf(mark); at !== -1; at = text.indexOf(mark, at + 1)) {
    const start = at + mark.length;
    const [name] = packageName.exec(text.slice(start, start + 100)) ?? [];
    if (name !== undefined) names.add(name);
  }
  return names;
}

const packageName = /^(@[\w.-]+\/)?[\w.-]+(?=\/)/;

/** Smaller ones hold no library; of larger ones it would cost more than a millisecond or two. */
const leastBytes = 16 * 1024;
const mostBytes = 16 * 1024 * 1024;

function read(file: string): string | undefined {
  if (/[/\\]node_modules[/\\]/.test(file)) return undefined; // a command such as tsx, itself a bundle
  try {
    const { size } = statSync(file);
    return size < leastBytes || size > mostBytes ? undefined : readFileSync(file, "latin1");
  } catch {
    return undefined; // no such file, or none that we may read
  }
}
