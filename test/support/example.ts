// The example shop and the stock service it calls, each a process of its own under the SDK.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { cleanEnv } from "./collector-process.ts";
import { until } from "./until.ts";

export interface Example {
  readonly shop: string;
  stop(): Promise<void>;
}

export async function startExample(otlpHttp: string): Promise<Example> {
  const stock = await startService("stock", { otlpHttp });
  const shop = await startService("shop", { otlpHttp, env: { STOCK_URL: stock.url } });
  return {
    shop: shop.url,
    async stop() {
      await Promise.all([shop.stop(), stock.stop()]);
    },
  };
}

interface ServiceOptions {
  readonly otlpHttp: string;
  readonly env?: Readonly<Record<string, string>>;
}

async function startService(name: string, { otlpHttp, env = {} }: ServiceOptions) {
  const main = fileURLToPath(new URL(`../../examples/${name}/main.js`, import.meta.url));
  const child = spawn(
    process.execPath,
    ["--conditions=source", "--import", "sonde/register", main],
    {
      env: cleanEnv({
        PORT: "0",
        OTEL_SERVICE_NAME: name,
        OTEL_EXPORTER_OTLP_ENDPOINT: otlpHttp,
        OTEL_BSP_SCHEDULE_DELAY: "200",
        OTEL_BLRP_SCHEDULE_DELAY: "200",
        OTEL_METRIC_EXPORT_INTERVAL: "500",
        OTEL_METRIC_EXPORT_TIMEOUT: "500",
        ...env,
      }),
      cwd: fileURLToPath(new URL("../../", import.meta.url)),
      stdio: "pipe",
    },
  );
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const url = await until(`${name} listens`, () => {
    if (child.exitCode !== null) throw new Error(output);
    return /listening on (\S+)/.exec(output)?.[1];
  });
  return { url, stop: () => end(child) };
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve();
      return;
    }
    child.on("exit", () => resolve());
    child.kill("SIGTERM");
  });
}
