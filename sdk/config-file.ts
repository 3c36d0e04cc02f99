// The file that OTEL_CONFIG_FILE names, OpenTelemetry's declarative configuration (file_format 1.x) → the
// same Settings that the environment gives. Beside it the environment counts only where the file refers to
// it. A file with a mistake switches the SDK off: half of what somebody wrote is not what they meant.

import { ConfigProblem, parseDocument } from "./config-file/document.ts";
import { readProviders } from "./config-file/providers.ts";
import { readResource } from "./config-file/resource.ts";
import { Section } from "./config-file/section.ts";
import type { ConfigFile } from "./config-file/section.ts";
import { propagatorNames } from "./settings.ts";
import type { InstrumentationName, Settings, SettingsRead } from "./settings.ts";
import { messageOf } from "./tell.ts";
import { choose, didYouMean, knownMethods, membersOf, printable, readSmallFile } from "./values.ts";
import { variables } from "./variables.ts";

/** `base` is what holds where nothing is set. */
export function readConfigFile(
  name: string,
  environment: NodeJS.ProcessEnv,
  base: Settings,
): SettingsRead {
  const complaints: string[] = [];
  const off = { ...base, isDisabled: true };
  const text = readSmallFile(name, (what) =>
    complaints.push(`OTEL_CONFIG_FILE: ${what}; the SDK is off`),
  );
  if (text === undefined) return { settings: off, complaints };
  try {
    const file: ConfigFile = { ...parseDocument(text, environment), name, complaints };
    const settings = readRoot(new Section(file, [], file.value), environment, base);
    if (settings.isDisabled) return { settings, complaints: [] };
    complainOfUnread(file, environment);
    return { settings, complaints };
  } catch (error) {
    const line = error instanceof ConfigProblem ? `:${error.line}` : "";
    const what = printable(messageOf(error), 300);
    return {
      settings: off,
      complaints: [`${printable(name)}${line} ${what}; the SDK is off until this is mended`],
    };
  }
}

function readRoot(root: Section, environment: NodeJS.ProcessEnv, base: Settings): Settings {
  checkFormat(root);
  const level = root.choice("log_level", severities);
  const settings: Settings = {
    ...base,
    isDisabled: root.flag("disabled") ?? false,
    logLevel: level === undefined ? undefined : levelOf(level),
    ...readResource(root.section("resource"), environment),
    propagators: readPropagators(root.section("propagator")),
    ...readProviders(root, base),
    ...readInstrumentation(root, environment, base),
  };
  for (const key of ["distribution", "stability"]) root.has(key); // of no meaning here
  root.done();
  return settings;
}

function checkFormat(root: Section): void {
  const format =
    root.text("file_format") ?? root.fail("file_format", 'is missing; "1.0" it may be');
  const [, major, minor] = /^(\d+)\.(\d+)(-\S*)?$/.exec(format) ?? [];
  if (major !== "1") root.fail("file_format", `is not supported; 1.0 to 1.${newestMinor} are`);
  if (Number(minor) > newestMinor) {
    root.complain(
      "file_format",
      `is newer than 1.${newestMinor}, what is new in it may be ignored`,
    );
  }
}

const newestMinor = 2;

const severities = ["trace", "debug", "info", "warn", "error", "fatal"].flatMap((name) => [
  name,
  ...[2, 3, 4].map((step) => `${name}${step}`),
]);

function levelOf(severity: string): NonNullable<Settings["logLevel"]> {
  const name = severity.replace(/\d$/, "");
  const same = (["debug", "info", "warn"] as const).find((level) => level === name);
  return same ?? (name === "trace" ? "verbose" : "error");
}

/** None of them without the section. */
function readPropagators(section: Section | undefined): Settings["propagators"] {
  const composite = section?.sections("composite").map((one) => {
    const [name = ""] = one.keys;
    one.only([name]);
    return name;
  });
  const listed = membersOf(section?.text("composite_list") ?? "");
  section?.done();
  const names = [...new Set([...(composite ?? []), ...listed])].filter((name) => name !== "none");
  return choose(names, { known: propagatorNames }, (what) => section?.complain(undefined, what));
}

type Instrumentation = Pick<Settings, "instrumentations" | "knownMethods">;

/** Under the name of the schema's version 1.1 or the one of 1.2. */
function readInstrumentation(
  root: Section,
  environment: NodeJS.ProcessEnv,
  base: Settings,
): Instrumentation {
  const section = root.section("instrumentation") ?? root.section("instrumentation/development");
  const general = section?.section("general");
  const http = general?.section("http");
  const methods = ["client", "server"].flatMap((side) => {
    const options = http?.section(side);
    options?.skip(["request_captured_headers", "response_captured_headers"]);
    const own = options?.texts("known_methods") ?? [];
    options?.done();
    return own;
  });
  http?.skip(["semconv"]);
  http?.done();
  // The instrumentations of OpenTelemetry read it from the environment, whatever a file says.
  const optIn = general?.text("stability_opt_in_list") ?? "";
  if (optIn !== (environment["OTEL_SEMCONV_STABILITY_OPT_IN"]?.trim() ?? "")) {
    general?.complain("stability_opt_in_list", "set OTEL_SEMCONV_STABILITY_OPT_IN instead");
  }
  general?.skip(["code", "db", "gen_ai", "messaging", "rpc", "sanitization"]);
  general?.done();
  const instrumentations = new Set(base.instrumentations);
  for (const name of disabledOf(section?.section("js"), [...base.instrumentations])) {
    instrumentations.delete(name);
  }
  return { instrumentations, knownMethods: knownMethods(methods) };
}

/** `js: { express: { enabled: false } }`; what other languages are told is not ours. */
function disabledOf(
  js: Section | undefined,
  known: readonly InstrumentationName[],
): readonly InstrumentationName[] {
  return (js?.keys ?? []).flatMap((key) => {
    const name = known.find((one) => one === key);
    if (name === undefined) {
      js?.complain(key, `no such instrumentation${didYouMean(key, known)}`);
      return [];
    }
    const options = js?.section(key);
    const isOff = options?.flag("enabled") === false;
    options?.done();
    return isOff ? [name] : [];
  });
}

/** Whoever sets them beside a file expects them to count. */
function complainOfUnread(file: ConfigFile, environment: NodeJS.ProcessEnv): void {
  const unread = Object.keys(environment).filter((name) => {
    const isOurs = variables.has(name) && !/^(SONDE|OTEL_NODE_FLUSH|OTEL_SEMCONV)_/.test(name);
    return isOurs && environment[name]?.trim() && !file.variables.has(name);
  });
  const others = unread.filter((name) => name !== "OTEL_CONFIG_FILE");
  if (others.length === 0) return;
  const more = others.length > 5 ? ` and ${others.length - 5} more` : "";
  file.complaints.push(
    `OTEL_CONFIG_FILE: ${others.slice(0, 5).join(", ")}${more} not read, since the file does not refer to them`,
  );
}
