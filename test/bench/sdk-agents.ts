// Who is measured: no agent, ours on both engines, and those that people use today, each installed and
// started as its documentation says.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onDemand } from "../support/on-demand.ts";

export interface Agent {
  readonly name: string;
  /** Of node, before the app. */
  readonly options: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly installed: Installed;
}

export interface Installed {
  readonly packages: number;
  readonly bytes: number;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

export const none: Agent = {
  name: "no agent",
  options: [],
  env: {},
  installed: { packages: 0, bytes: 0 },
};

/** Of the compiled register.js, or of register.ts with the option that lets it find its kin. */
export function ours(register: string, options: readonly string[] = []): readonly Agent[] {
  const installed = oursInstalled(dirname(dirname(register)));
  const preload = [...options, "--require", register];
  return [
    { name: "sonde", options: preload, env: {}, installed },
    {
      name: "the reference engine",
      options: preload,
      env: { SONDE_ENGINE: "opentelemetry" },
      installed,
    },
  ];
}

/** Another build of ours. */
export function another(register: string): Agent {
  const [agent] = ours(register);
  return { ...agent!, name: `sonde of ${dirname(dirname(register))}` };
}

/** Those that cannot be installed are left out; why is told where that is tried. */
export function others(): readonly Agent[] {
  const known = [
    {
      name: "official auto-instrumentations-node",
      package: "@opentelemetry/auto-instrumentations-node",
      version: "0.82.0",
      file: "register",
    },
    { name: "Splunk", package: "@splunk/otel", version: "4.7.2", file: "instrument" },
    { name: "dd-trace", package: "dd-trace", version: "6.21.0", file: "init" },
  ];
  return known.flatMap(({ name, package: what, version, file }): Agent[] => {
    const folder = onDemand(`agent-${what}-${version}`, [`${what}@${version}`]);
    if (folder === undefined) return [];
    const modules = join(folder, "node_modules");
    const sizes = packagesIn(modules).map((path) => sizeOf(path));
    return [
      {
        name: `${name} ${version}`,
        options: ["--require", createRequire(join(modules, "agent.js")).resolve(`${what}/${file}`)],
        env: { DD_TRACE_STARTUP_LOGS: "false" },
        installed: { packages: sizes.length, bytes: sum(sizes) },
      },
    ];
  });
}

// ── sizes ────────────────────────────────────────────────────────────────────────────────────────

/** Our compiled code, and what our package.json has npm install with it. */
function oursInstalled(dist: string): Installed {
  const found = new Map<string, number>();
  const visit = (folder: string): void => {
    const { dependencies = {} } = readJson(join(folder, "package.json"));
    for (const name of Object.keys(dependencies as object)) {
      const path = resolveFrom(folder, name);
      if (path === undefined || found.has(path)) continue;
      found.set(path, sizeOf(path));
      visit(path);
    }
  };
  visit(root);
  return { packages: found.size + 1, bytes: sum([...found.values()]) + sizeOf(dist) };
}

function resolveFrom(folder: string, name: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const path = join(at, "node_modules", name);
    if (statSync(join(path, "package.json"), { throwIfNoEntry: false })) return path;
    if (dirname(at) === at) return undefined;
  }
}

/** The folders of all packages, nested ones too. */
function packagesIn(modules: string): string[] {
  return readdirSync(modules, { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isDirectory() || entry.name.startsWith(".")) return [];
    const path = join(modules, entry.name);
    if (entry.name.startsWith("@")) return packagesIn(path);
    const nested = join(path, "node_modules");
    return statSync(nested, { throwIfNoEntry: false }) ? [path, ...packagesIn(nested)] : [path];
  });
}

/** Without the packages within it. */
function sizeOf(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += entry.name === "node_modules" ? 0 : sizeOf(path);
    else if (entry.isFile()) bytes += statSync(path).size;
  }
  return bytes;
}

const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0);

function readJson(path: string): Readonly<Record<string, unknown>> {
  return JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>; // a package.json
}
