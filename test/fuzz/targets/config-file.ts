// sonde.yaml, whatever is in it. The parser of YAML is not ours, so its loops are not counted: the clock is.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../../collector/config/config.ts";
import { parseFile } from "../../../collector/config/file.ts";
import { ConfigError } from "../../../collector/config/problem.ts";
import { demand, type Target } from "../target.ts";

export const targets: readonly Target[] = [
  {
    name: "config-file",
    covers: [
      "collector/config/config.ts",
      "collector/config/draft.ts",
      "collector/config/file.ts",
      "collector/config/problem.ts",
    ],
    shape: "text",
    seeds: () => seeds.map((seed) => Buffer.from(seed)),
    words: [
      "&a ",
      "*a",
      "<<: ",
      "!!binary ",
      "- ",
      "? ",
      ": ",
      "\n  ",
      "|\n",
      ">-\n",
      "%YAML 1.1\n---\n",
    ],
    maxBytes: 2048,
    run: parse,
  },
];

const seeds = [
  "",
  "otlp_http_port: 4318\nhost: 127.0.0.1\n",
  "outputs:\n  jaeger: { endpoint: grpc://jaeger:4317 }\n  elasticsearch:\n    url: http://e:9200\n",
  "outputs:\n  mine: { type: otlp, endpoint: http://h:1, headers: { authorization: 'Bearer x' } }\n",
  'a: &a [1, 2.5, true, null]\nb: *a\nc: |\n  text\n  more\nd: "q\\u0041"\n',
  "log_max_bytes: 4GiB\nlog: memory\nprometheus_port: off\n",
];

const longestMs = 5000;

async function parse(input: Uint8Array): Promise<boolean> {
  const began = performance.now();
  const { root, problems } = await parseFile(Buffer.from(input).toString("utf8"));
  demand(performance.now() - began < longestMs, () => "takes too long");
  for (const { message, line } of problems) {
    demand(line >= 1 && isOneLine(message), () => `line ${line}: ${message}`);
  }
  if (root) await load(input);
  return root !== undefined;
}

let folder: string | undefined;

async function load(input: Uint8Array): Promise<void> {
  folder ??= makeFolder();
  writeFileSync(join(folder, "sonde.yaml"), input);
  try {
    await loadConfig({ env: {}, cwd: folder });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    demand(error.problems.length > 0 && error.problems.every(isOneLine), () => error.message);
  }
}

function makeFolder(): string {
  const made = mkdtempSync(join(tmpdir(), "sonde-fuzz-config-"));
  process.once("exit", () => rmSync(made, { recursive: true, force: true }));
  return made;
}

const isOneLine = (message: string): boolean =>
  message.length < 2000 && !/[\p{Cc}\u2028\u2029]|undefined|\[object/u.test(message);
