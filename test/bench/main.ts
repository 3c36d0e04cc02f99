// The benchmark: what it costs to forward spans, ours beside the Go collector on the same machine in
// the same minutes. docs/figures.md has what it found.

import { cpus, loadavg, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { isAbsent } from "../support/peers.ts";
import { cases, shortened } from "./cases.ts";
import { compare, type Comparison } from "./compare.ts";
import { report } from "./report.ts";
import { build, otelcolInMemory, otelcolOnDisk, sonde, type Subject } from "./subjects.ts";

const usage = `npm run bench -- [--quick] [--rounds N] [--case NAME]

  --quick       few requests: shows that it works; its figures are of collectors still warming up
  --rounds N    how often each case is run, 3 unless given
  --case NAME   ${cases.map(({ name }) => name).join(", ")}; may be given several times
`;

const quickRequests = 300;

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());

const options = parse();
if (options) {
  await run(options).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
    console.error("stopped");
    process.exitCode = 1;
  });
} else {
  console.error(usage);
  process.exitCode = 2;
}

async function run(options: Pick<Comparison, "cases" | "rounds">): Promise<void> {
  const ours = await build();
  try {
    const theirs: Subject[] = isAbsent("otelcol") ? [] : [otelcolInMemory, otelcolOnDisk];
    const subjects = [sonde(ours.main), ...theirs];
    const { signal } = stop;
    console.log(machine());
    const series = await compare({ ...options, subjects, signal, progress: console.error });
    console.log(`\n${report(series)}`);
    console.log(`load average at the end: ${loads()}`);
    if (theirs.length === 0) console.log("ONLY sonde was measured: otelcol is absent.");
  } finally {
    ours.remove();
  }
}

function parse(): Pick<Comparison, "cases" | "rounds"> | undefined {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string", default: "3" },
      case: { type: "string", multiple: true, default: cases.map(({ name }) => name) },
    },
  });
  const rounds = Number(values.rounds);
  const chosen = cases.filter(({ name }) => values.case.includes(name));
  const isKnown = values.case.every((name) => chosen.some((given) => given.name === name));
  if (!Number.isInteger(rounds) || rounds < 1 || !isKnown) return undefined;
  return {
    rounds,
    cases: values.quick ? chosen.map((given) => shortened(given, quickRequests)) : chosen,
  };
}

function machine(): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  const model = cpus()[0]?.model ?? "unknown processor";
  const { version } = process;
  return `${cpus().length} x ${model}, ${memory} GiB, node ${version}, load average ${loads()}`;
}

function loads(): string {
  return loadavg()
    .map((load) => load.toFixed(2))
    .join(" ");
}
