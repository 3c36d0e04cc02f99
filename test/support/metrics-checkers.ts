// What others make of a scrape: promtool of the text, the Python parser of OpenMetrics.

import { spawnSync } from "node:child_process";

export function hasNoPromtool(): boolean {
  if (spawnSync("promtool", ["--version"]).status === 0) return false;
  const what = "promtool not to be had: install Debian's package prometheus";
  if (process.env["CI"]) throw new Error(what);
  process.stderr.write(`\n  SKIPPED: ${what}\n\n`);
  return true;
}

/** What is wrong with a text, if it can be read at all; advice on names, which are the senders', is not. */
export function promtoolProblem(text: string): string | undefined {
  const { status, stderr } = spawnSync("promtool", ["check", "metrics"], { input: text });
  const isAdvice = status === 3;
  return status === 0 || isAdvice ? undefined : `${String(stderr)}\n${text}`;
}

/** A Python that has prometheus_client: SONDE_TEST_OPENMETRICS_PYTHON, or the one in the PATH. */
export function pythonWithParser(): string | undefined {
  const python = process.env["SONDE_TEST_OPENMETRICS_PYTHON"] ?? "python3";
  if (spawnSync(python, ["-c", "import prometheus_client"]).status === 0) return python;
  process.stderr.write(
    "\n  SKIPPED: no Python with prometheus_client: set SONDE_TEST_OPENMETRICS_PYTHON\n\n",
  );
  return undefined;
}

const parser = `
import sys, json
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
print(json.dumps([[s.name, str(s.value)] for f in parse(sys.stdin.read()) for s in f.samples]))`;

/** Every sample with its name. */
export function parsedByPython(python: string, text: string): [name: string, value: string][] {
  const options = { input: text, encoding: "utf8", maxBuffer: 1 << 28 } as const;
  const { stdout, stderr } = spawnSync(python, ["-c", parser], options);
  if (stderr !== "") throw new Error(`${stderr}\n${text}`);
  return JSON.parse(stdout) as [string, string][];
}
