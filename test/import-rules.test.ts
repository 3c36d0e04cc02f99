// The import rules are lint rules; this makes sure that each of them bites.

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "sonde-rules-"));

beforeAll(() => copyFileSync(join(root, ".oxlintrc.json"), join(folder, ".oxlintrc.json")));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function complaints(file: string, imported: string): string {
  const path = join(folder, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `import { x } from "${imported}";\nexport const y = x;\n`);
  const oxlint = join(root, "node_modules", ".bin", "oxlint");
  const { stdout } = spawnSync(oxlint, [path], { cwd: folder, encoding: "utf8" });
  return stdout;
}

test.each([
  ["collector/collector.ts", "../sdk/settings.ts", "the collector never imports the SDK"],
  ["sdk/start.ts", "../collector/collector.ts", "of the collector the SDK shares wire/ only"],
  ["sdk/export/a.ts", "../../collector/log/log.ts", "of the collector the SDK shares wire/ only"],
  ["collector/output/otlp/a.ts", "../loki/b.ts", "never import one another"],
  ["collector/output/otlp/a.ts", "../../receive/intake.ts", "never import one another"],
  ["collector/receive/otlp-http.ts", "./otlp-grpc.ts", "never import one another"],
  ["collector/receive/intake.ts", "../output/output.ts", "never import one another"],
  ["collector/step/filter/a.ts", "../set/rule.ts", "never import one another"],
  ["collector/step/filter/a.ts", "../../output/output.ts", "never import one another"],
  ["collector/log/disk-log.ts", "../output/output.ts", "the log knows bytes only"],
  ["collector/log/disk-log.ts", "../collector.ts", "the log knows bytes only"],
  ["collector/wire/cursor.ts", "../log/log.ts", "wire/ stands alone"],
])("%s must not import %s", (file, imported, message) => {
  expect(complaints(file, imported)).toContain(message);
});

test.each([
  ["sdk/export/a.ts", "../../collector/wire/writer.ts"],
  ["collector/output/otlp/a.ts", "../output.ts"],
  ["collector/output/otlp/a.ts", "../../wire/cursor.ts"],
  ["collector/receive/otlp-http.ts", "./intake.ts"],
  ["collector/step/filter/a.ts", "../cel/values.ts"],
  ["collector/step/filter/a.ts", "../../wire/cursor.ts"],
  ["collector/log/disk-log.ts", "../telemetry/incidents.ts"],
])("%s may import %s", (file, imported) => {
  expect(complaints(file, imported)).not.toContain("no-restricted-imports");
});
