// Jaeger's remote sampling: a server says which share of the traces of a service to record, and is asked
// again every minute. Spans never wait for it: until it has answered, and whenever it does not, what held
// before goes on. The requests are not traced, and keep no app alive.

import { load } from "../packages.ts";
import { messageOf, tell } from "../tell.ts";
import { suppressed } from "../trace/context.ts";
import { printable } from "../values.ts";
import type { Sampler } from "./sampler.ts";
import type { JaegerSettings } from "./settings.ts";
import { samplerOf } from "./strategy.ts";

// Not imported: an `import` of node:http reads all that it exports, which loads the whole of undici.
const http = process.getBuiltinModule("node:http");
const https = process.getBuiltinModule("node:https");
const requestHttp = http.request;
const requestHttps = https.request;

const mostBytes = 1024 * 1024;
const timeoutMs = 10_000;

export function remoteSampler(
  settings: JaegerSettings,
  serviceName: string,
  initial: Sampler,
): Sampler {
  const strategies = new Strategies(settings, serviceName, initial);
  return (span) => strategies.sampler(span);
}

class Strategies {
  sampler: Sampler;
  readonly #url: URL;
  readonly #intervalMs: number;
  /** The text that the sampler was made of: what stays the same keeps its counters. */
  #strategy = "";

  constructor({ url, intervalMs }: JaegerSettings, serviceName: string, initial: Sampler) {
    this.#url = new URL(`${url}/sampling`);
    this.#url.searchParams.set("service", serviceName);
    this.#intervalMs = intervalMs;
    this.sampler = initial;
    this.#ask();
  }

  #ask(): void {
    const done = (problem?: string): void => {
      if (problem !== undefined) {
        const { origin } = this.#url;
        tell(
          `sampling strategies: ${origin} ${printable(problem, 200)}; asking again`,
          origin + "/s",
        );
      }
      // Apps that started together need not ask together.
      setTimeout(() => this.#ask(), this.#intervalMs * (0.9 + Math.random() / 5)).unref();
    };
    try {
      const { context } = load("@opentelemetry/api");
      context.with(suppressed(context.active()), () => this.#request(done));
    } catch (error) {
      done(messageOf(error));
    }
  }

  #request(done: (problem?: string) => void): void {
    let isDone = false;
    const finish = (problem?: string): void => {
      if (isDone) return;
      isDone = true;
      done(problem);
    };
    const request = this.#url.protocol === "https:" ? requestHttps : requestHttp;
    const asked = request(this.#url, { agent: false, timeout: timeoutMs });
    asked.on("timeout", () => asked.destroy(new Error("does not answer in time")));
    asked.on("socket", (socket) => socket.unref());
    asked.on("error", (error) => finish(messageOf(error)));
    asked.on("response", (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size <= mostBytes) return;
        finish(`answers more than ${mostBytes} bytes`);
        asked.destroy();
      });
      response.on("error", (error) => finish(messageOf(error)));
      response.on("end", () => {
        if (response.statusCode !== 200) finish(`answers ${response.statusCode}`);
        else if (!isDone) finish(this.#use(Buffer.concat(chunks).toString()));
      });
    });
    asked.end();
  }

  /** What is wrong with it. */
  #use(strategy: string): string | undefined {
    if (strategy === this.#strategy) return undefined;
    const sampler = samplerOf(strategy);
    if (typeof sampler === "string") return sampler;
    this.sampler = sampler;
    this.#strategy = strategy;
    return undefined;
  }
}
