// The configuration while it is put together: what has been given for each setting and where, first by
// the file, then by variables, which win. Values are not looked at yet, only names.

import { resolve } from "node:path";
import {
  type OutputConfig,
  type OutputType,
  outputTypes,
  type StepConfig,
  type StepType,
  stepTypes,
} from "../components.ts";
import { type FileValue, readText } from "./file.ts";
import { describe, showName } from "./problem.ts";
import { general, isForeign, unavailable } from "./schema.ts";
import { closest, suggestion } from "./spelling.ts";
import { fromText, type Name, namesOf, prefix, variableOf } from "./variables.ts";

/** `sonde.yaml:14 outputs.jaeger.endpoint` or `SONDE_JAEGER_ENDPOINT`: the front of a message. */
export interface Place {
  readonly text: string;
  /** Only of a place in the file. */
  readonly line?: number;
}

export interface Given {
  readonly value: unknown;
  /** For the listing: `sonde.yaml:14` or `variable SONDE_JAEGER_ENDPOINT`. */
  readonly origin: string;
  /** Of the value, or of a part of it. */
  readonly place: (path: readonly PropertyKey[]) => Place;
}

/** The general settings, or those of an output or a step. */
export interface Section {
  /** What stands before the names of its settings: `outputs.jaeger`, or nothing. */
  readonly path: string;
  readonly output?: Pick<OutputConfig, "name" | "type"> & { readonly origin: string };
  readonly step?: Pick<StepConfig, "name" | "type">;
  readonly names: ReadonlyMap<string, Name>;
  readonly given: Map<string, Given>;
  /** What was given with a value that will not do. */
  readonly refused: Set<string>;
  /** Where a setting that nobody gave would stand; undefined for the section itself. */
  readonly placeOf: (setting?: string) => Place;
}

export type OutputSection = Section & Required<Pick<Section, "output">>;
export type StepSection = Section & Required<Pick<Section, "step">>;

export class Draft {
  readonly problems: { readonly place: Place; readonly words: string }[] = [];
  readonly general: Section = {
    path: "",
    names: namesOf(general),
    given: new Map(),
    refused: new Set(),
    placeOf: (setting = "") => ({ text: setting }),
  };
  readonly outputs = new Map<string, OutputSection>();
  readonly steps = new Map<string, StepSection>();
  /** Of steps that are there but cannot be made sense of. */
  readonly brokenSteps = new Set<string>();
  readonly #cwd: string;

  constructor(cwd: string) {
    this.#cwd = cwd;
  }

  add(place: Place, words: string): void {
    this.problems.push({ place, words });
  }

  takeFile(root: FileValue, file: string): void {
    for (const [name, entry] of root.entries) {
      const at = placeIn(file, entry, showName(name));
      if (name !== "outputs" && name !== "steps") {
        this.#takeEntry(this.general, name, { file, entry, at });
      } else if (entry.isMapping) {
        if (name === "outputs") this.#takeOutputs(entry, file);
        else this.#takeSteps(entry, file);
      } else if (entry.value !== null) this.add(at([]), notAGroup);
    }
  }

  #takeOutputs({ entries }: FileValue, file: string): void {
    for (const [name, entry] of entries) {
      const at = placeIn(file, entry, `outputs.${showName(name)}`);
      const type = this.#typeOf(name, entry, at);
      if (type === undefined) continue;
      const output = this.#addOutput({ name, type, origin: `${file}:${entry.line}` }, (setting) =>
        placeIn(file, entry, yamlName(name, setting))([]),
      );
      for (const [setting, value] of entry.entries) {
        if (setting === "type") continue;
        const at = placeIn(file, value, yamlName(name, showName(setting)));
        this.#takeEntry(output, setting, { file, entry: value, at });
      }
    }
  }

  /** `name: { type: { …settings } }` */
  #takeSteps({ entries }: FileValue, file: string): void {
    for (const [name, entry] of entries) {
      const at = placeIn(file, entry, `steps.${showName(name)}`);
      const type = this.#stepTypeOf(name, entry, at);
      const inner = type && entry.entries.get(type);
      if (!inner) {
        this.brokenSteps.add(name);
        continue;
      }
      const path = `steps.${name}.${type}`;
      const section: StepSection = {
        path,
        step: { name, type },
        names: namesOf(stepTypes[type].settings),
        given: new Map(),
        refused: new Set(),
        placeOf: (setting) => placeIn(file, inner, join(path, setting))([]),
      };
      this.steps.set(name, section);
      for (const [setting, value] of inner.entries) {
        const at = placeIn(file, value, join(path, showName(setting)));
        this.#takeEntry(section, setting, { file, entry: value, at });
      }
    }
  }

  /** The type of a step, or a problem. */
  #stepTypeOf(name: string, entry: FileValue, at: Given["place"]): StepType | undefined {
    const known = Object.keys(stepTypes);
    const [type, ...others] = entry.entries.keys();
    if (!isComponentName(name)) this.add(at([]), notAName("a step"));
    else if (!entry.isMapping || type === undefined) {
      this.add(at([]), `has nothing to do; give it one of ${known.join(", ")}`);
    } else if (others.length > 0) {
      this.add(at([]), "is several steps; make one of each, and name them in order at the output");
    } else if (!isStepType(type)) {
      const hint = suggestion(type, known) || `; there are ${known.join(", ")}`;
      this.add(at([type]), `no such type of step${hint}`);
    } else {
      const inner = entry.entries.get(type);
      if (inner?.isMapping || inner?.value === null) return type;
      this.add(at([type]), notAGroup);
    }
    return undefined;
  }

  /** The type of an output in the file, or a problem. */
  #typeOf(name: string, entry: FileValue, at: Given["place"]): OutputType | undefined {
    if (!isComponentName(name)) {
      this.add(at([]), notAName("an output"));
      return undefined;
    }
    const type = entry.entries.get("type");
    const wanted = type ? type.value : name;
    if (typeof wanted === "string" && isOutputType(wanted)) {
      if (entry.isMapping || entry.value === null) return wanted;
      this.add(at([]), notAGroup);
    } else if (isUnavailable(`outputs.${String(wanted)}`)) {
      this.add(at(type ? ["type"] : []), "this output type is not available in this version");
    } else {
      const more = type ? "" : "; an output of another name needs a type";
      this.add(at(type ? ["type"] : []), wordsForType(String(wanted), more));
    }
    return undefined;
  }

  #takeEntry(section: Section, name: string, { file, entry, at }: Entry): void {
    const known = section.names.get(name);
    if (known) {
      const origin = `${file}:${entry.line}`;
      this.#give(section, known, { value: entry.value, origin, place: at });
    } else if (isUnavailable(name, section)) {
      this.add(at([]), "this setting is not available in this version");
    } else if (section === this.general && isOutputType(name)) {
      this.add(at([]), `no such setting; did you mean "outputs.${name}"?`);
    } else {
      const more = section.output ? ["type"] : section.step ? [] : ["outputs", "steps"];
      const known = [...section.names.keys(), ...more];
      this.add(at([]), `no such setting${suggestion(name, known)}`);
    }
  }

  takeVariables(env: Environment): void {
    const known = this.#variables();
    for (const variable of Object.keys(env).toSorted()) {
      const text = env[variable];
      if (!text || !variable.startsWith(prefix) || isForeign(variable, text)) continue;
      const target = known.get(variable);
      const place = (): Place => ({ text: showName(variable) });
      if (!target) {
        this.add(place(), wordsForUnknown(variable, known.keys()));
        continue;
      }
      const { type, name } = target;
      const value = name.isOfFile ? text : fromText(name.schema, text);
      const section = type === undefined ? this.general : this.#outputNamedAs(type);
      this.#give(section, name, { value, origin: `variable ${variable}`, place });
    }
  }

  /** Every variable that can be set; general ones win where two names meet. */
  #variables(): Map<string, { type?: OutputType; name: Name }> {
    const variables = new Map<string, { type?: OutputType; name: Name }>();
    for (const type of Object.keys(outputTypes) as OutputType[]) {
      const actual = this.outputs.get(type)?.names ?? namesOf(outputTypes[type].settings);
      for (const [spelling, name] of actual) {
        variables.set(variableOf(yamlName(type, spelling)), { type, name });
      }
    }
    for (const [spelling, name] of this.general.names) {
      variables.set(variableOf(spelling), { name });
    }
    return variables;
  }

  /** A variable of an output, or its being on by default, is enough for the output to be there. */
  #outputNamedAs(type: OutputType): OutputSection {
    const output = this.outputs.get(type);
    if (output) return output;
    const placeOf = (setting?: string): Place => ({ text: variableOf(yamlName(type, setting)) });
    return this.#addOutput({ name: type, type, origin: "default" }, placeOf);
  }

  #addOutput(output: OutputSection["output"], placeOf: Section["placeOf"]): OutputSection {
    const names = namesOf(outputTypes[output.type].settings);
    const given = new Map<string, Given>();
    const path = yamlName(output.name);
    const section = { path, output, names, given, refused: new Set<string>(), placeOf };
    this.outputs.set(output.name, section);
    return section;
  }

  takeDefaults(types: readonly OutputType[]): void {
    for (const type of types) this.#outputNamedAs(type);
  }

  #give(section: Section, name: Name, given: Given): void {
    const place = given.place([]);
    const before = section.given.get(name.setting)?.place([]);
    if (before && (before.line === undefined) === (place.line === undefined)) {
      this.add(place, `given twice, also as ${before.text}`);
      return;
    }
    const { value } = given;
    if (!name.isOfFile) {
      section.given.set(name.setting, given);
      return;
    }
    const read =
      typeof value === "string" && value !== ""
        ? readText(resolve(this.#cwd, value), 64 << 10)
        : { problem: "is not the path of a file" };
    if ("problem" in read) this.add(place, describe(value, read.problem, false));
    else {
      const text = read.text.replace(/\r?\n$/, "");
      section.given.set(name.setting, { ...given, value: fromText(name.schema, text) });
    }
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

interface Entry {
  readonly file: string;
  readonly entry: FileValue;
  readonly at: Given["place"];
}

const notAGroup = "is not a group of names with values";

/** A name that a person gives to an output or a step. */
function isComponentName(name: string): boolean {
  return /^[a-z][a-z0-9_-]{0,63}$/.test(name);
}

function notAName(what: string): string {
  return `not a name for ${what}; use up to 64 of a-z, 0-9, - and _, a letter first`;
}

function isStepType(name: string): name is StepType {
  return Object.hasOwn(stepTypes, name);
}

export function yamlName(output: string, setting?: string): string {
  return join(`outputs.${output}`, setting);
}

/** The name of a setting of a section in the file. */
export function join(path: string, setting?: string): string {
  return [path, setting ?? ""].filter((part) => part !== "").join(".");
}

export function isOutputType(name: string): name is OutputType {
  return Object.hasOwn(outputTypes, name);
}

function placeIn(file: string, entry: FileValue, name: string): Given["place"] {
  return (path) => {
    let deepest = entry;
    let text = name;
    for (const step of path.map(String)) {
      const next = deepest.entries.get(step);
      if (deepest.isMapping || !next) text += `.${showName(step)}`;
      if (!next) break;
      deepest = next;
    }
    return { line: deepest.line, text: `${file}:${deepest.line} ${text}` };
  };
}

/** Whether a name of the file was promised for a later version. */
function isUnavailable(name: string, section?: Section): boolean {
  if (section?.output || section?.step) return false;
  return unavailable.some((promised) => name === promised || name.startsWith(`${promised}_`));
}

function wordsForType(wanted: string, more: string): string {
  const known = Object.keys(outputTypes);
  const promised = unavailable.flatMap((name) => /^outputs\.(.*)/.exec(name)?.slice(1) ?? []);
  const meant = closest(wanted, [...known, ...promised]);
  if (meant === undefined) return `no such output type; there are ${known.join(", ")}${more}`;
  return isOutputType(meant)
    ? `no such output type; did you mean "${meant}"?`
    : `no such output type; if you mean "${meant}", that is not available in this version`;
}

function wordsForUnknown(variable: string, known: Iterable<string>): string {
  const promised = unavailable.map(variableOf);
  if (promised.some((name) => variable === name || variable.startsWith(`${name}_`))) {
    return "this setting is not available in this version";
  }
  const names = [...known, `${prefix}CONFIG`, ...promised].map((name) => name.slice(prefix.length));
  const meant = closest(variable.slice(prefix.length), names);
  return meant === undefined
    ? "no such setting"
    : `no such setting; did you mean ${prefix}${meant}?`;
}
