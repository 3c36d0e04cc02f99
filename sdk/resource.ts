// What the telemetry says about where it comes from. Detected here and not by OpenTelemetry's detectors:
// those read files and start programs in the background, and until they are done nothing can be sent,
// not even at exit; and they tell the command line, where people put secrets.

import { readFileSync } from "node:fs";
import { arch, hostname, platform, release } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread, threadId } from "node:worker_threads";
import type { Resource as OfficialResource } from "@opentelemetry/resources";
import { containerId } from "./container.ts";
import { load } from "./packages.ts";
import { messageOf, tell } from "./tell.ts";
import { hexOf, randomPart } from "./trace/ids.ts";
import type { DetectorName, ResourceValue, Settings } from "./settings.ts";

export type Resource = Readonly<Record<string, ResourceValue>>;

/** As OpenTelemetry's packages have it. */
export function resourceFrom(attributes: Resource): OfficialResource {
  const { resourceFromAttributes } = load("@opentelemetry/resources");
  return resourceFromAttributes(attributes);
}

/** Once, and when it is asked for. Never throws: the app would. */
export function resourceLater(settings: Settings): () => Resource {
  let found: Resource | undefined;
  return () => {
    try {
      found ??= describeResource(settings);
    } catch (error) {
      tell(`what tells of the service is incomplete: ${messageOf(error)}`);
      found = { "service.name": settings.serviceName ?? "unknown_service:node" };
    }
    return found;
  };
}

export function describeResource(settings: Settings): Resource {
  const attributes: Record<string, ResourceValue> = {
    "service.name": packageName() ?? "unknown_service:node",
    ...whoTells(settings.engine),
  };
  // In the order of the user; what is found later wins.
  for (const name of settings.detectors) Object.assign(attributes, detectors[name](settings));
  if (settings.serviceName !== undefined) attributes["service.name"] = settings.serviceName;
  return attributes;
}

/** The name "opentelemetry" is theirs alone by the conventions; who hands out their SDK is a distribution. */
function whoTells(engine: Settings["engine"]): Resource {
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

const detectors: Readonly<Record<DetectorName, (settings: Settings) => Resource>> = {
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
  serviceinstance: () => ({ "service.instance.id": randomId() }),
};

/** A UUID, as random as the ids of traces: to load node:crypto is a seventh of the whole start. */
function randomId(): string {
  const variant = ((randomPart() & 0x3fff_ffff) | 0x8000_0000) >>> 0;
  const [first, second, third] = [hexOf(randomPart()), hexOf(randomPart()), hexOf(variant)];
  const rest = third.slice(4) + hexOf(randomPart());
  return [first, second.slice(0, 4), `4${second.slice(5)}`, third.slice(0, 4), rest].join("-");
}

const archNames: Readonly<Record<string, string>> = {
  x64: "amd64",
  arm: "arm32",
  ia32: "x86",
  ppc: "ppc32",
};

/**
 * The name in the nearest package.json above the app's entry file. Where that is a package's, as of `next start`,
 * the app is what it was started in, if that has a name.
 */
function packageName(): string | undefined {
  const entry = process.argv[1] ?? "/";
  const isPackage = /[/\\]node_modules[/\\]/.test(entry);
  return (isPackage ? nameAbove(process.cwd()) : undefined) ?? nameAbove(dirname(entry));
}

function nameAbove(start: string): string | undefined {
  for (let folder = start; ; folder = dirname(folder)) {
    const description = readJson(join(folder, "package.json"));
    if (description !== undefined) {
      const { name } = description as { name?: unknown };
      return typeof name === "string" && name !== "" ? name : undefined;
    }
    if (dirname(folder) === folder) return undefined;
  }
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
