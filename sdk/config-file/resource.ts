// The resource of a configuration file: attributes with types, and the detectors that may look for more.

import type { DetectorName, ResourceValue, Settings } from "../settings.ts";
import { pairsOf } from "../values.ts";
import { textOf } from "./section.ts";
import type { Section } from "./section.ts";

type ResourceSettings = Pick<Settings, "detectors" | "resourceAttributes" | "serviceName">;

export function readResource(
  section: Section | undefined,
  environment: NodeJS.ProcessEnv,
): ResourceSettings {
  const attributes: Record<string, ResourceValue> = Object.create(null) as never; // any key is a key
  const list = section?.text("attributes_list") ?? "";
  Object.assign(
    attributes,
    pairsOf(list, (what) => section?.complain("attributes_list", what)),
  );
  for (const attribute of section?.sections("attributes") ?? []) {
    const name = attribute.text("name") ?? attribute.fail("name", "is missing");
    const value = readValue(attribute);
    if (value !== undefined) attributes[name] = value;
    attribute.done();
  }
  const detection = section?.section("detection/development");
  const detectors = new Set<DetectorName>();
  let serviceName: string | undefined;
  for (const detector of detection?.sections("detectors") ?? []) {
    const [kind, options] = detector.only(kinds);
    options.done();
    for (const name of found[kind]) detectors.add(name);
    if (kind === "service") serviceName = environment["OTEL_SERVICE_NAME"]?.trim() || undefined;
  }
  detection?.skip(["attributes"]);
  detection?.done();
  section?.skip(["schema_url"]);
  section?.done();
  // What the file says wins over what is found.
  detectors.delete("env");
  return {
    detectors: [...detectors, "env"],
    resourceAttributes: { ...attributes },
    serviceName: Object.hasOwn(attributes, "service.name") ? undefined : serviceName,
  };
}

const kinds = ["container", "host", "process", "service", "os", "env"] as const;

const found: Readonly<Record<(typeof kinds)[number], readonly DetectorName[]>> = {
  container: ["container"],
  host: ["host", "os"],
  process: ["process"],
  service: ["serviceinstance"],
  os: ["os"],
  env: ["env"],
};

const types = ["string", "bool", "int", "double"] as const;
const arrayTypes = types.map((type) => `${type}_array` as const);

function readValue(attribute: Section): ResourceValue | undefined {
  const type = attribute.choice("type", [...types, ...arrayTypes]);
  const value = attribute.value("value");
  if (value === undefined) return undefined;
  const isArray = Array.isArray(value);
  const members = (isArray ? value : [value]) as unknown[];
  const element = type?.replace("_array", "") ?? "string";
  if (type !== undefined && type.endsWith("_array") !== isArray) {
    attribute.fail("value", `is not of the type ${type}`);
  }
  const checked = members.map((member) => {
    const text = element === "string" ? textOf(member) : undefined;
    if (text !== undefined) return text;
    if (isOf(member, element)) return member;
    return attribute.fail("value", `is not of the type ${type ?? "string"}`);
  });
  return isArray ? checked : checked[0];
}

function isOf(member: unknown, type: string): member is number | boolean {
  if (type === "bool") return typeof member === "boolean";
  return type === "int"
    ? Number.isInteger(member)
    : type === "double" && typeof member === "number";
}
