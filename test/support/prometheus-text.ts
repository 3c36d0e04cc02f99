// A strict reader of the Prometheus text format, stricter than Prometheus itself: it throws at whatever
// an output should not write, such as two samples of one series.

import assert from "node:assert/strict";

export interface Scraped {
  /** By `name{label="value",…}` with the labels sorted and unescaped values as JSON. */
  readonly samples: ReadonlyMap<string, number>;
  readonly types: ReadonlyMap<string, string>;
  readonly help: ReadonlyMap<string, string>;
}

const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const number = /^(NaN|[+-]Inf|-?\d+(\.\d+)?(e[+-]\d+)?)$/;

export function parseScrape(text: string): Scraped {
  assert.ok(text === "" || text.endsWith("\n"), "the last line has no end");
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  const help = new Map<string, string>();
  let family = "";
  for (const line of text.split("\n").slice(0, -1)) {
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/s.exec(line);
    if (comment) {
      const [, what, of = "", value = ""] = comment;
      assert.match(of, name);
      const into = what === "HELP" ? help : types;
      assert.ok(!into.has(of), `${what} of ${of} twice`);
      if (what === "HELP") assert.doesNotMatch(value.replaceAll(/\\\\|\\n/g, ""), /\\/);
      else assert.match(value, /^(counter|gauge|histogram|summary|untyped)$/);
      assert.ok(what === "TYPE" || !types.has(of), `HELP of ${of} behind its TYPE`);
      into.set(of, what === "HELP" ? unescaped(value) : value);
      if (what === "TYPE") family = of;
      continue;
    }
    const [key, value, sampleName] = sample(line);
    const suffixes = { histogram: /^_(bucket|sum|count)$/, summary: /^(_sum|_count)?$/ };
    const type = types.get(family);
    const suffix = sampleName.startsWith(family) ? sampleName.slice(family.length) : "?";
    const allowed = type === "histogram" || type === "summary" ? suffixes[type] : /^$/;
    assert.match(suffix, allowed, `${sampleName} among the samples of ${family}, a ${type}`);
    assert.ok(!samples.has(key), `${key} twice`);
    samples.set(key, value);
  }
  return { samples, types, help };
}

function sample(line: string): [key: string, value: number, name: string] {
  const open = line.indexOf("{");
  const isPlain = open < 0;
  const close = line.lastIndexOf("} ");
  const sampleName = isPlain ? line.slice(0, line.indexOf(" ")) : line.slice(0, open);
  const value = isPlain ? line.slice(line.indexOf(" ") + 1) : line.slice(close + 2);
  assert.match(sampleName, name, line);
  assert.match(value, number, line);
  const labels = isPlain ? [] : labelsOf(line.slice(open + 1, close));
  const key = labels.length > 0 ? `${sampleName}{${labels.toSorted().join(",")}}` : sampleName;
  return [key, Number(value.replace("Inf", "Infinity")), sampleName];
}

function labelsOf(text: string): string[] {
  const labels: string[] = [];
  const names = new Set<string>();
  const label = /([^=,"]+)="((?:[^"\\\n]|\\[\\n"])*)"(,|$)/y;
  while (label.lastIndex < text.length) {
    const found = label.exec(text);
    assert.ok(found, `no labels: ${text}`);
    const [, labelName = "", value = "", end] = found;
    assert.match(labelName, /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/);
    assert.ok(!names.has(labelName), `the label ${labelName} twice`);
    assert.notEqual(value, "", `the label ${labelName} is empty, which is the same as none`);
    names.add(labelName);
    labels.push(`${labelName}=${JSON.stringify(unescaped(value))}`);
    assert.ok(end === "" || label.lastIndex < text.length, "a comma behind the last label");
  }
  return labels;
}

const unescaped = (text: string): string =>
  text.replaceAll(/\\(.)/gs, (_whole, character: string) => (character === "n" ? "\n" : character));

/** That buckets rise to the count, for every histogram. */
export function checkHistograms({ samples, types }: Scraped): void {
  const before = new Map<string, number>();
  for (const [key, value] of samples) {
    const [, of = "", labels = ""] = /^(.*?)_bucket\{(.*)\}$/s.exec(key) ?? [];
    if (types.get(of) !== "histogram") continue;
    const others = labels.replace(/(^|,)le="[^"]*"/, "").replace(/^,/, "");
    const series = `${of}_count${others && `{${others}}`}`;
    assert.ok(value >= (before.get(series) ?? 0), `${key} is below the bucket before`);
    before.set(series, value);
    if (/le="\+Inf"/.test(labels)) assert.equal(value, samples.get(series), series);
  }
  for (const key of samples.keys()) {
    const [, of = ""] = /^(.*)_count(\{|$)/.exec(key) ?? [];
    if (types.get(of) === "histogram") assert.ok(before.has(key), `${key} without buckets`);
  }
}
