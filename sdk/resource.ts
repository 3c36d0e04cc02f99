// What the telemetry says about where it comes from. Detected here and not by OpenTelemetry's detectors:
// those read files and start programs in the background, and until they are done nothing can be sent,
// not even at exit; and they tell the command line, where people put secrets.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { arch, hostname, platform, release } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread, threadId } from "node:worker_threads";
import type { Resource } from "@opentelemetry/resources";
import { containerId } from "./container.ts";
import { load } from "./packages.ts";
import type { DetectorName, ResourceValue, Settings } from "./settings.ts";

type Attributes = Record<string, ResourceValue>;

export function resourceOf(settings: Settings): Resource {
  const { defaultResource, resourceFromAttributes } = load("@opentelemetry/resources");
  // OpenTelemetry's type for the values differs in what may be missing from a list.
  const attributes = describeResource(settings) as Parameters<typeof resourceFromAttributes>[0];
  const own = resourceFromAttributes(attributes);
  return settings.engine === "sonde" ? own : defaultResource().merge(own);
}

export function describeResource(settings: Settings): Attributes {
  const attributes: Attributes = {
    "service.name": packageName() ?? "unknown_service:node",
    ...whoTells(settings.engine),
  };
  // In the order of the user; what is found later wins.
  for (const name of settings.detectors) Object.assign(attributes, detectors[name](settings));
  if (settings.serviceName !== undefined) attributes["service.name"] = settings.serviceName;
  return attributes;
}

/** The name "opentelemetry" is theirs alone by the conventions; who hands out their SDK is a distribution. */
function whoTells(engine: Settings["engine"]): Attributes {
  const version = ownVersion();
  if (engine === "opentelemetry") {
    return { "telemetry.distro.name": "sonde", "telemetry.distro.version": version };
  }
  return {
    "telemetry.sdk.language": "nodejs",
    "telemetry.sdk.name": "sonde",
    "telemetry.sdk.version": version,
  };
}

/** From source as well as from dist/. */
function ownVersion(): string {
  for (const path of ["../package.json", "../../package.json"]) {
    const description = readJson(fileURLToPath(new URL(path, import.meta.url)));
    const { name, version } = (description ?? {}) as { name?: unknown; version?: unknown };
    if (name === "sonde" && typeof version === "string") return version;
  }
  return "unknown";
}

const detectors: Readonly<Record<DetectorName, (settings: Settings) => Attributes>> = {
  env: ({ resourceAttributes }) => resourceAttributes,
  host: () => ({ "host.name": hostname(), "host.arch": archNames[arch()] ?? arch() }),
  os: () => ({
    "os.type": platform() === "win32" ? "windows" : platform(),
    "os.version": release(),
  }),
  process: () => ({
    "process.pid": process.pid,
    "process.executable.name": basename(process.execPath),
    "process.executable.path": process.execPath,
    "process.command": process.argv[1] ?? "",
    "process.runtime.name": "nodejs",
    "process.runtime.version": process.versions.node,
    "process.runtime.description": "Node.js",
    ...(isMainThread ? {} : { "thread.id": threadId }),
  }),
  container: () => {
    const id = containerId();
    return id === undefined ? {} : { "container.id": id };
  },
  // Of this process and thread alone, so that the series of two of them never collide.
  serviceinstance: () => ({ "service.instance.id": randomUUID() }),
};

const archNames: Readonly<Record<string, string>> = {
  x64: "amd64",
  arm: "arm32",
  ia32: "x86",
  ppc: "ppc32",
};

/** The name in the nearest package.json above the app's entry file. */
function packageName(): string | undefined {
  let folder = dirname(process.argv[1] ?? "/");
  for (; dirname(folder) !== folder; folder = dirname(folder)) {
    const description = readJson(join(folder, "package.json"));
    if (description === undefined) continue;
    const { name } = description as { name?: unknown };
    return typeof name === "string" && name !== "" ? name : undefined;
  }
  return undefined;
}

/** Undefined where there is no such file; what is not an object has no name either. */
function readJson(file: string): object | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    return typeof value === "object" && value !== null ? value : {};
  } catch (error) {
    return error instanceof SyntaxError ? {} : undefined;
  }
}
