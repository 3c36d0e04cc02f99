// From variables and sonde.yaml to the configuration, or to everything that is wrong with them.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { z } from "zod";
import {
  checkStep,
  type OutputConfig,
  outputsByDefault,
  outputTypes,
  type StepConfig,
  stepTypes,
} from "../components.ts";
import {
  Draft,
  isOutputType,
  join,
  type OutputSection,
  type Place,
  type Section,
  type StepSection,
} from "./draft.ts";
import { isBytes } from "./fields.ts";
import { maxFileBytes, parseFile, readText } from "./file.ts";
import { findShared } from "./output-files.ts";
import { ConfigError, describe, wordsFor } from "./problem.ts";
import { type Config, contradictions, type General, general, toConfig } from "./schema.ts";
import { suggestion } from "./spelling.ts";
import { variableOf } from "./variables.ts";

export interface Sources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What `--config` names. */
  readonly file?: string | undefined;
  readonly cwd?: string;
}

export interface Loaded {
  readonly config: Config;
  /** All that is in effect, for the listing. */
  readonly settings: readonly Setting[];
}

export interface Setting {
  readonly name: string;
  /** Undefined for those of an output that is not named as its type. */
  readonly variable: string | undefined;
  readonly value: unknown;
  readonly isSecret: boolean;
  readonly isBytes: boolean;
  /** `default`, `sonde.yaml:14` or `variable SONDE_JAEGER_ENDPOINT`. */
  readonly origin: string;
}

/** Throws a ConfigError that has everything that is wrong. */
export async function loadConfig({ env, file, cwd = process.cwd() }: Sources): Promise<Loaded> {
  const draft = new Draft(cwd);
  await takeFile(draft, { env, file, cwd });
  draft.takeVariables(env);
  draft.takeDefaults(outputsByDefault);

  const values = parse(draft, draft.general, general);
  const outputs: ParsedOutput[] = [];
  for (const section of draft.outputs.values()) {
    const schema: z.ZodObject = outputTypes[section.output.type].settings;
    const settings = parse(draft, section, schema);
    if (settings) outputs.push({ section, settings });
  }
  const steps = await parseSteps(draft);
  const stepsOf = lookUpSteps(draft, outputs, steps);
  if (values) compare(draft, values, outputs);
  if (values) compareFiles(draft, outputs, { dataDir: values.data_dir, cwd });
  if (values) await checkFiles(draft, values, cwd);
  if (!values || draft.problems.length > 0) throw new ConfigError(lines(draft));

  const configs = outputs
    .filter(({ settings }) => settings["port"] !== "off")
    // The settings are what the schema of the type has made of them, which is what the type says.
    .map(({ section, settings: given }) => {
      const { name, type } = section.output;
      const { steps: _names, ...settings }: Values = given;
      return { name, type, settings, steps: stepsOf.get(section) ?? [] } as object as OutputConfig;
    });
  return {
    config: toConfig(values, configs),
    settings: [
      ...listing(draft.general, values),
      ...outputs.flatMap(({ section, settings }) => listing(section, settings)),
      ...[...draft.steps].flatMap(([name, section]) => {
        return listing(section, steps.get(name)?.settings ?? {});
      }),
    ],
  };
}

interface ParsedOutput {
  readonly section: OutputSection;
  readonly settings: Values;
}

type Values = Readonly<Record<string, unknown>>;

/** Those that are sound, by their names. */
async function parseSteps(draft: Draft): Promise<Map<string, StepConfig>> {
  const steps = new Map<string, StepConfig>();
  for (const section of draft.steps.values()) {
    const { name, type } = section.step;
    const before = draft.problems.length;
    const schema: z.ZodObject = stepTypes[type].settings;
    const settings = parse(draft, section, schema);
    if (!settings || draft.problems.length > before) {
      draft.brokenSteps.add(name);
      continue;
    }
    const step = { name, type, settings } as StepConfig; // as for outputs
    steps.set(name, step);
    await addProblems(draft, section, step);
  }
  return steps;
}

/** Of the expressions and patterns in it, which the schema takes for texts. */
async function addProblems(draft: Draft, section: StepSection, step: StepConfig): Promise<void> {
  for (const { path, words } of await checkStep(step)) {
    const [setting = "", ...inside] = path;
    const place = section.given.get(setting)?.place(inside) ?? section.placeOf(setting);
    draft.add(place, describe(valueAt(step.settings, path), words, false));
  }
}

/** The steps of each output, by the names that it gives. */
function lookUpSteps(
  draft: Draft,
  outputs: readonly ParsedOutput[],
  steps: ReadonlyMap<string, StepConfig>,
): Map<OutputSection, StepConfig[]> {
  const found = new Map<OutputSection, StepConfig[]>();
  for (const { section, settings } of outputs) {
    const names = settings["steps"] as string[]; // `withSteps` has put the setting there
    const wanted = names.flatMap((name, index) => {
      const step = steps.get(name);
      if (step || draft.brokenSteps.has(name)) return step ?? [];
      const known = [...steps.keys(), ...draft.brokenSteps];
      const hint = suggestion(name, known) || (known.length > 0 ? "" : "; there are no steps");
      const place = section.given.get("steps")?.place([index]) ?? section.placeOf("steps");
      draft.add(place, describe(name, `is not the name of a step${hint}`, false));
      return [];
    });
    found.set(section, wanted);
  }
  return found;
}

/** The file that was asked for, or ./sonde.yaml if there is one. */
async function takeFile(draft: Draft, { env, file, cwd }: Required<Sources>): Promise<void> {
  const asked = file || env["SONDE_CONFIG"];
  const name = asked || "sonde.yaml";
  const path = resolve(cwd, name);
  if (!asked && !existsSync(path)) return;
  const read = readText(path, maxFileBytes);
  if ("problem" in read) {
    const asker = file ? "--config" : "SONDE_CONFIG";
    if (asked) draft.add({ text: asker }, describe(name, read.problem, false));
    else draft.add({ text: name }, read.problem);
    return;
  }
  const { root, problems } = await parseFile(read.text);
  for (const { line, column, name: setting, message } of problems) {
    const place = column === undefined ? `${name}:${line}` : `${name}:${line}:${column}`;
    draft.add({ text: setting === undefined ? place : `${place} ${setting}`, line }, message);
  }
  if (root) draft.takeFile(root, name);
}

/**
 * What the schema makes of the values that were given. Where it refuses some, there are problems, and
 * the answer has the defaults instead, for what else is to be checked; undefined if they have none.
 */
function parse<Schema extends z.ZodObject>(
  draft: Draft,
  section: Section,
  schema: Schema,
): z.output<Schema> | undefined {
  const input = Object.fromEntries(
    [...section.given].map(([setting, { value }]) => [setting, value]),
  );
  const result = schema.safeParse(input, { error: wordsFor });
  if (result.success) return result.data;
  for (const { code, path, message } of result.error.issues) {
    const [setting, ...inside] = path.map(String);
    const given = setting === undefined ? undefined : section.given.get(setting);
    const place = given?.place(inside) ?? section.placeOf(setting);
    const isName = code === "invalid_key"; // of a header, say: only the value after it is a secret
    const isSecret = setting !== undefined && section.names.get(setting)?.isSecret === true;
    const value = isName ? inside.at(-1) : valueAt(input, path);
    draft.add(place, describe(value, message, isSecret && !isName) + whyNeeded(section, place));
    if (setting !== undefined) section.refused.add(setting);
  }
  for (const setting of section.refused) delete input[setting];
  return schema.safeParse(input).data;
}

/** An output comes into being by any of its variables, which may surprise whoever set just one. */
function whyNeeded({ given, output }: Section, missing: Place): string {
  const places = [...given.values()].map(({ place }) => place([]));
  if (!output || missing.line !== undefined || places.length === 0) return "";
  if (places.some(({ text }) => text === missing.text)) return "";
  return `, but ${places[0]?.text} asks for an output to ${output.name}`;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[step]; // zod has just walked it
  }
  // The whole of a section is no value that anybody wrote.
  return path.length === 0 ? undefined : value;
}

/** What only shows when settings are seen together. */
function compare(draft: Draft, values: General, outputs: readonly ParsedOutput[]): void {
  for (const { name, words } of contradictions(values)) {
    draft.add(placeOf(draft.general, name), describe(values[name], words, false));
  }
  const taken = new Map<number, string>();
  for (const { section, setting, port } of listeners(draft.general, values, outputs)) {
    if (typeof port !== "number" || port === 0) continue;
    const other = taken.get(port);
    if (other === undefined) taken.set(port, join(section.path, setting));
    else draft.add(placeOf(section, setting), `${port} is the port of ${other} already`);
  }
}

function compareFiles(
  draft: Draft,
  outputs: readonly ParsedOutput[],
  where: { readonly dataDir: string; readonly cwd: string },
): void {
  const sections = new Map<string, OutputSection>();
  const files = outputs.flatMap(({ section, settings }) => {
    const { path, max_bytes: maxBytes, max_files: maxFiles } = settings;
    const isWritten = section.output.type === "file" && !section.refused.has("path");
    if (!isWritten || typeof path !== "string") return [];
    sections.set(section.path, section);
    return [
      { output: section.path, path, setAside: maxBytes === undefined ? 0 : Number(maxFiles) },
    ];
  });
  for (const { output, words } of findShared(files, where)) {
    const section = sections.get(output);
    const value = files.find((file) => file.output === output)?.path;
    if (section) draft.add(placeOf(section, "path"), describe(value, words, false));
  }
}

/** What is wrong with the files that say who may come in; loading TLS is left to those who use it. */
async function checkFiles(draft: Draft, values: General, cwd: string): Promise<void> {
  const { tls_cert, tls_key, tls_client_ca, auth_token_file } = values;
  const paths = { tls_cert, tls_key, tls_client_ca, auth_token_file };
  if (Object.values(paths).every((path) => path === undefined)) return;
  const { readCredentials } = await import("../access/files.ts");
  const read = readCredentials(paths, cwd);
  if (!Array.isArray(read)) return;
  for (const { name, words } of read) {
    draft.add(placeOf(draft.general, name), describe(values[name], words, false));
  }
}

function placeOf(section: Section, setting: string): Place {
  return section.given.get(setting)?.place([]) ?? section.placeOf(setting);
}

/** Every setting that is a port; those that somebody chose come last, as they are the ones to change. */
function listeners(general: Section, values: Values, outputs: readonly ParsedOutput[]): Listener[] {
  const all = [
    ...Object.entries(values)
      .filter(([setting]) => setting.endsWith("_port"))
      .map(([setting, port]) => ({ section: general, setting, port })),
    ...outputs.map(({ section, settings }) => {
      return { section, setting: "port", port: settings["port"] };
    }),
  ];
  const isGiven = ({ section, setting }: Listener): boolean => section.given.has(setting);
  const known = all.filter(({ section, setting }) => !section.refused.has(setting));
  return [...known.filter((one) => !isGiven(one)), ...known.filter(isGiven)];
}

interface Listener {
  readonly section: Section;
  readonly setting: string;
  readonly port: unknown;
}

/** In the order of the file, then the variables. */
function lines({ problems }: Draft): string[] {
  const inFile = problems.filter(({ place }) => place.line !== undefined);
  const others = problems.filter(({ place }) => place.line === undefined);
  const sorted = inFile.toSorted((a, b) => (a.place.line ?? 0) - (b.place.line ?? 0));
  return [...new Set([...sorted, ...others].map(({ place, words }) => `${place.text}: ${words}`))];
}

function listing({ path, output, step, names, given }: Section, values: Values): Setting[] {
  const hasVariables = output ? isOutputType(output.name) : step === undefined;
  const settings: Setting[] = [];
  if (output && output.name !== output.type) {
    settings.push({
      ...plain,
      name: join(path, "type"),
      value: output.type,
      origin: output.origin,
    });
  }
  for (const [setting, { schema, isSecret, isOfFile }] of names) {
    if (isOfFile) continue;
    const name = join(path, setting);
    settings.push({
      name,
      variable: hasVariables ? variableOf(name) : undefined,
      value: values[setting],
      isSecret,
      isBytes: isBytes(schema),
      origin: given.get(setting)?.origin ?? "default",
    });
  }
  return settings;
}

const plain = { variable: undefined, isSecret: false, isBytes: false };
