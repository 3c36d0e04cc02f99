// docs/sdk-settings.md says what the code does.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { samplerNames } from "../../sdk/sampling/settings.ts";
import { detectorNames, propagatorNames, readSettings, semconvNames } from "../../sdk/settings.ts";
import { variables } from "../../sdk/variables.ts";

const text = readFileSync(new URL("../../docs/sdk-settings.md", import.meta.url), "utf8");

/** A row of a table: the names in its first cell, braces expanded, its default and its meaning. */
const rows = text
  .split("\n")
  .filter((line) => /^\| `(OTEL|SONDE)_/.test(line))
  .map((line) => {
    const [, name = "", value = "", meaning = ""] = line.split("|").map((cell) => cell.trim());
    return { names: expand(name.replaceAll("`", "")), value: /`(.*)`/.exec(value)?.[1], meaning };
  });

function expand(name: string): string[] {
  const [, before, choices, after] = /^(.*?)\{(.*?)\}(.*)$/.exec(name) ?? [];
  if (choices === undefined) return [name];
  return choices.split(",").flatMap((choice) => expand(`${before}${choice}${after}`));
}

test("it has every variable, each once, and no other", () => {
  const names = rows.flatMap(({ names }) => names);
  expect(names.toSorted()).toEqual([...variables.keys()].toSorted());
});

test("its defaults are those of the code", () => {
  for (const { names, value } of rows) {
    if (value === undefined) continue;
    for (const name of names) {
      expect({ name, read: readSettings({ [name]: value }) }).toEqual({
        name,
        read: readSettings({}),
      });
    }
  }
});

test("it has every value of a choice", () => {
  const lists: Readonly<Record<string, readonly string[]>> = {
    OTEL_PROPAGATORS: propagatorNames,
    OTEL_NODE_RESOURCE_DETECTORS: detectorNames,
    OTEL_SEMCONV_STABILITY_OPT_IN: semconvNames,
    OTEL_TRACES_SAMPLER: samplerNames.filter((name) => !name.startsWith("parentbased_")),
  };
  for (const { names, meaning, value } of rows) {
    const kind = variables.get(names[0] ?? "");
    const choices = Array.isArray(kind)
      ? (kind as readonly string[])
      : (lists[names[0] ?? ""] ?? []);
    for (const choice of choices) {
      expect(value === choice || meaning.includes(`\`${choice}\``), `${names[0]} ${choice}`).toBe(
        true,
      );
    }
  }
});

test("its configuration file is understood, in silence", () => {
  const folder = mkdtempSync(join(tmpdir(), "sonde-document-"));
  try {
    const file = join(folder, "otel.yaml");
    writeFileSync(file, /```yaml\n([^]*?)```/.exec(text)?.[1] ?? "");
    const { settings, complaints } = readSettings({ OTEL_CONFIG_FILE: file });
    expect(complaints).toEqual([]);
    expect(settings).toMatchObject({ isDisabled: false, samplerRatio: 0.1, prometheusPort: 9464 });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
