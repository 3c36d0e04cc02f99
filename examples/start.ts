// What `npm start` runs: the collector, the services of an example under the SDK and a little traffic, so that
// there is something to see. `npm start -- express` takes another example than the shop. Ctrl-C ends all of
// it; so does the end of any part, with a word on which it was.

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { examples } from "./examples.ts";
import type { Service, Visit } from "./examples.ts";

const wanted = process.argv[2] ?? "shop";
const example = examples[wanted];
if (!example) {
  console.error(`no example is called ${wanted}; there are ${Object.keys(examples).join(", ")}`);
  process.exit(2);
}
const root = fileURLToPath(new URL("../", import.meta.url));

/** Preloaded into each child: should this process be killed, its channel closes and the child ends too. */
const endAlone = `data:text/javascript,${encodeURIComponent(`
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.channel?.unref(); // threads have none
`)}`;

const children = new Map<string, ChildProcess>();
const stopping = new AbortController();

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop(0));

const collector = run("collector", ["collector/main.ts", "serve"], {
  SONDE_DEBUG_VERBOSITY: process.env["SONDE_DEBUG_VERBOSITY"] ?? "summary",
});
const urls = new Map<string, string>();
onLine(collector.stdout, (line) => {
  const [, what, url] = /^sonde: (.+) on (\S+:\/\/\S+)$/.exec(line) ?? [];
  if (what !== undefined && url !== undefined) urls.set(what, url);
  else console.log(line);
});
await ready("collector", async () => {
  const health = [...urls].find(([what]) => what.startsWith("health"))?.[1];
  return health !== undefined && (await fetch(new URL("/readyz", health))).ok;
});

const otlp = urls.get("OTLP/HTTP") ?? "http://127.0.0.1:4318";
const services = new Map<string, string>();
for (const service of example.services) services.set(service.name, await startService(service));
const [front, frontUrl] = [...services].at(-1) ?? ["", ""];
const hint = example.visits.find(({ method }) => !method)?.path ?? "/";
console.log(`
The ${front} is on ${frontUrl} (try ${hint}), under the SDK, and gets a request a second.
The collector has
${[...urls].map(([what, url]) => `  ${what}: ${url}`).join("\n")}
What ${example.services.length > 1 ? "they send" : "it sends"} is told below as it arrives. Ctrl-C ends all of it.
`);
await sendTraffic(frontUrl, example.visits);

/** Starts a service under the SDK and gives its URL. */
async function startService({ name, file, needs = {} }: Service): Promise<string> {
  const service = run(name, ["--import", "sonde/register", `examples/${file}`], {
    PORT: "0",
    OTEL_SERVICE_NAME: name,
    OTEL_EXPORTER_OTLP_ENDPOINT: otlp,
    OTEL_BSP_SCHEDULE_DELAY: "1000",
    OTEL_METRIC_EXPORT_INTERVAL: "5000",
    ...Object.fromEntries(
      Object.entries(needs).map(([variable, other]) => [variable, services.get(other) ?? ""]),
    ),
  });
  let url: string | undefined;
  // What it logs arrives at the collector, so it is not printed a second time here.
  onLine(service.stdout, (line) => (url ??= /^listening on (\S+)/.exec(line)?.[1]));
  await ready(name, () => url !== undefined);
  return url ?? "";
}

/** One request after the other: a slow service gets fewer. */
async function sendTraffic(url: string, visits: readonly Visit[]): Promise<void> {
  for (let visit = 0; !stopping.signal.aborted; visit++) {
    const { method = "GET", path, body } = visits[visit % visits.length] ?? { path: "/" };
    try {
      const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(5000)]);
      const sent = body
        ? { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }
        : {};
      const redirect = "manual"; // wherever that would lead is not ours to ask
      await fetch(url + path, { method, redirect, signal, ...sent }).then((answer) =>
        answer.text(),
      );
    } catch (error) {
      if (!stopping.signal.aborted) console.error(`${path}: ${String(error)}`);
    }
    await pause(1000);
  }
}

function run(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): ChildProcess {
  const child = spawn(process.execPath, ["--conditions=source", "--import", endAlone, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    detached: true, // Ctrl-C reaches this process alone, which ends the others in order
  });
  children.set(name, child);
  onLine(child.stderr, (line) => console.error(`${name}: ${line}`));
  child.on("close", (code, signal) => {
    children.delete(name);
    if (stopping.signal.aborted) return;
    console.error(`${name} ended unexpectedly (${signal ?? `code ${code}`}), so everything ends`);
    stop(1);
  });
  return child;
}

/** Services before the collector, so that it gets their last words. */
function stop(code: number): void {
  if (stopping.signal.aborted) return;
  stopping.abort();
  process.exitCode = code;
  void (async () => {
    for (const child of [...children.values()].toReversed()) await end(child);
    process.exit();
  })();
}

function end(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const kill = setTimeout(() => child.kill("SIGKILL"), 10_000);
    child.once("close", () => {
      clearTimeout(kill);
      resolve();
    });
    child.kill("SIGTERM");
  });
}

function onLine(stream: Readable | null, take: (line: string) => void): void {
  if (stream) createInterface({ input: stream }).on("line", take);
}

async function ready(name: string, isReady: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline && !stopping.signal.aborted) {
    if (await Promise.resolve(isReady()).catch(() => false)) return;
    await pause(50);
  }
  if (stopping.signal.aborted) return new Promise(() => {}); // stop() ends the process
  console.error(`${name} was not ready within 30 seconds`);
  stop(1);
  return new Promise(() => {});
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stopping.signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), {
      once: true,
    });
  });
}
