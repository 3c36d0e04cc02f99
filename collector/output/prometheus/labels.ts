// From OTLP attributes to the text of labels, and from a resource to the target that Prometheus knows
// by job and instance.

import { createHash } from "node:crypto";
import { type Label, labelText } from "../../telemetry/exposition.ts";
import { Cursor } from "../../wire/cursor.ts";
import type { Range } from "../../wire/leaves.ts";
import { labelInText } from "./escaping.ts";
import type { Naming } from "./names.ts";

export interface Attribute {
  readonly key: string;
  readonly value: string;
}

/** Those of the message in `range`, which holds them in `field`. */
export function attributesIn(bytes: Uint8Array, range: Range, field: number): Attribute[] {
  return pairsIn(bytes, range, { field, read: valueText });
}

export interface Identity {
  /** job and instance, as far as they are known. */
  readonly identity: string;
  /** These, and the attributes that are to stand on every series. */
  readonly labels: string;
  /** Those of target_info; empty where the resource says no more than job and instance. */
  readonly info: string;
}

export interface LabelsOptions {
  readonly naming: Naming;
  /** Keys of the resource attributes that stand on every series. */
  readonly promoted: readonly string[];
  /** Whether name, version and attributes of the scope do. */
  readonly hasScope: boolean;
}

const identifying = new Set(["service.name", "service.namespace", "service.instance.id"]);

/** Attributes as labels, by the names that are set. */
export class Labels {
  readonly #naming: Naming;
  readonly #promoted: readonly string[];
  readonly #hasScope: boolean;
  readonly #promotedNames: ReadonlySet<string>;

  constructor({ naming, promoted, hasScope }: LabelsOptions) {
    this.#naming = naming;
    this.#promoted = promoted;
    this.#hasScope = hasScope;
    this.#promotedNames = new Set(promoted.map((key) => naming.labelName(key)));
  }

  /** As text; `lead` stands in front if there is any. */
  text(labels: readonly Label[], lead = ""): string {
    if (!this.#naming.isUtf8) return labelText(labels, lead);
    return labelText(
      labels.map(([name, value]): Label => [labelInText(name), value]),
      lead,
    );
  }

  /** Of a point; `own` is the label that its kind brings itself. */
  point(attributes: readonly Attribute[], own: "le" | "quantile" | undefined): Label[] {
    return this.pairs(
      attributes,
      (name) => name === own || this.#promotedNames.has(name) || isReserved(name),
    );
  }

  /**
   * In order of their names. Keys that have become one name share it, the values joined in order of the
   * keys. To Prometheus an empty value is no label, so that two series could differ in it only.
   */
  pairs(attributes: readonly Attribute[], isTaken: (name: string) => boolean): Label[] {
    const named = attributes
      .filter(({ value }) => value !== "")
      .map(({ key, value }) => {
        const name = this.#naming.labelName(key);
        return { key, value, name: isTaken(name) ? `exported_${name}` : name };
      })
      .toSorted(
        (a, b) => compare(a.name, b.name) || compare(a.key, b.key) || compare(a.value, b.value),
      );
    const values = new Map<string, string>();
    for (const { name, value } of named) {
      const before = values.get(name);
      values.set(name, before === undefined ? value : `${before};${value}`);
    }
    return [...values];
  }

  target(resource: readonly Attribute[]): Identity {
    const valueOf = (key: string): string =>
      resource.findLast((one) => one.key === key)?.value ?? "";
    const name = valueOf("service.name");
    const namespace = valueOf("service.namespace");
    const job = name && namespace ? `${namespace}/${name}` : name;
    const others = resource.filter(({ key, value }) => value !== "" && !identifying.has(key));
    const instance = valueOf("service.instance.id") || madeUpInstance(others, valueOf);
    const target: readonly Label[] = [
      ["job", job],
      ["instance", instance],
    ];
    const known = target.filter(([, value]) => value !== "");
    const promoted = this.#promoted.map((key) => ({ key, value: valueOf(key) }));
    const more = this.pairs(promoted, isReserved);
    const info = this.pairs(others, isReserved);
    return {
      identity: this.text(known),
      labels: this.text([...known, ...more]),
      info: info.length > 0 ? this.text([...known, ...info]) : "",
    };
  }

  scope(bytes: Uint8Array, scope: Range): Label[] {
    if (!this.#hasScope) return [];
    let name = "";
    let version = "";
    const message = new Cursor(bytes, scope.start, scope.end);
    while (message.next()) {
      if (message.number === 1) name = message.text();
      else if (message.number === 2) version = message.text();
    }
    const own: readonly Label[] = [
      ["otel_scope_name", name],
      ["otel_scope_version", version],
    ];
    const others = this.pairs(attributesIn(bytes, scope, 3), () => false)
      .map(([name, value]): Label => [`otel_scope_${name}`, value])
      .filter(([name]) => !own.some(([taken]) => taken === name));
    return [...own.filter(([, value]) => value !== ""), ...others];
  }
}

/** The labels that no point may bring itself: those of its target and its scope. */
const isReserved = (name: string): boolean =>
  name === "job" || name === "instance" || name.startsWith("otel_scope_");

/**
 * Two senders that do not say which instance they are must not share a counter, so everything that
 * their resources say goes into the name; what a person would look for stands in front of it.
 */
function madeUpInstance(others: readonly Attribute[], valueOf: (key: string) => string): string {
  if (others.length === 0) return "";
  const pairs = others.map(({ key, value }) => JSON.stringify([key, value])).toSorted(compare);
  const digest = createHash("sha256").update(pairs.join()).digest("hex").slice(0, 12);
  const seen = valueOf("k8s.pod.name") || valueOf("host.name") || valueOf("container.id");
  return seen ? `${seen}-${digest}` : digest;
}

/** By code units: the same on every machine, whatever its language. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

// ── attribute values ─────────────────────────────────────────────────────────────────────────────

type Read = (bytes: Uint8Array, value: Range) => string;

const nothing: Range = { start: 0, end: 0 };

function pairsIn(
  bytes: Uint8Array,
  range: Range,
  { field, read }: { readonly field: number; readonly read: Read },
): Attribute[] {
  const found: Attribute[] = [];
  const message = new Cursor(bytes, range.start, range.end);
  const pair = new Cursor(bytes, 0, 0);
  while (message.next()) {
    if (message.number !== field) continue;
    let key = "";
    let value = read(bytes, nothing);
    pair.over(message.start, message.end);
    while (pair.next()) {
      if (pair.number === 1) key = pair.text();
      else if (pair.number === 2) value = read(bytes, pair);
    }
    found.push({ key, value });
  }
  return found;
}

/** Text as it is, everything else as JSON would have it. */
function valueText(bytes: Uint8Array, range: Range): string {
  const value = new Cursor(bytes, range.start, range.end);
  let text = "";
  while (value.next()) {
    if (value.number === 1) text = value.text();
    else if (value.number === 7) text = base64(value);
    else text = json(bytes, value) ?? text;
  }
  return text;
}

function nestedText(bytes: Uint8Array, range: Range): string {
  const value = new Cursor(bytes, range.start, range.end);
  let text = "null";
  while (value.next()) {
    if (value.number === 1) text = JSON.stringify(value.text());
    else if (value.number === 7) text = JSON.stringify(base64(value));
    else text = json(bytes, value) ?? text;
  }
  return text;
}

/** What looks the same at the top and within; undefined for a field that is not known. */
function json(bytes: Uint8Array, value: Cursor): string | undefined {
  switch (value.number) {
    case 2:
      return String(value.uint() !== 0);
    case 3:
      return String(value.int64());
    case 4:
      return String(value.double());
    case 5: {
      const elements: string[] = [];
      const list = new Cursor(bytes, value.start, value.end);
      while (list.next()) if (list.number === 1) elements.push(nestedText(bytes, list));
      return `[${elements.join(",")}]`;
    }
    case 6: {
      const pairs = pairsIn(bytes, value, { field: 1, read: nestedText });
      return `{${pairs.map(({ key, value }) => `${JSON.stringify(key)}:${value}`).join(",")}}`;
    }
    default:
      return undefined;
  }
}

const base64 = (value: Cursor): string => Buffer.from(value.slice()).toString("base64");
