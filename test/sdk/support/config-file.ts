// Configuration files made for a test.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { readSettings } from "../../../sdk/settings.ts";
import type { SettingsRead } from "../../../sdk/settings.ts";

const folder = mkdtempSync(join(tmpdir(), "sonde-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
export function fileOf(text: string): string {
  const file = join(folder, `${files++}.yaml`);
  writeFileSync(file, text);
  return file;
}

export const head = 'file_format: "1.0"\n';

/** With the name otel.yaml in what is said about it. */
export function read(text: string, environment: NodeJS.ProcessEnv = {}): SettingsRead {
  const file = fileOf(text);
  const { settings, complaints } = readSettings({ ...environment, OTEL_CONFIG_FILE: file });
  return { settings, complaints: complaints.map((line) => line.replace(file, "otel.yaml")) };
}
