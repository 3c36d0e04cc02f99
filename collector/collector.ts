// Builds the collector from its configuration and takes it down again: outputs run before receivers
// take anything, and receivers stop before outputs do.

import { join } from "node:path";
import { openOutput } from "./components.ts";
import type { Config } from "./config/schema.ts";
import { prepareDataDir } from "./data-dir.ts";
import { type HealthServer, startHealth } from "./health.ts";
import type { Log } from "./log/log.ts";
import { DeadLetters } from "./output/dead-letters.ts";
import { Feed } from "./output/feed.ts";
import { Intake, type Receiver, type ReceiverName } from "./receive/intake.ts";
import { Incidents } from "./telemetry/incidents.ts";
import { ownMetrics } from "./telemetry/own-metrics.ts";
import { packageVersion } from "./version.ts";

export interface CollectorOptions {
  readonly incidents?: Incidents;
  /** Called for each listener once it listens. */
  readonly ready?: (what: string, url: string) => void;
}

interface RunningReceiver extends Receiver {
  readonly name: ReceiverName;
}

const receiverStopMs = 1_000;

const noReady = (): void => {};

export class Collector {
  readonly #config: Config;
  readonly #incidents: Incidents;
  readonly #ready: (what: string, url: string) => void;
  #log: Log | undefined;
  readonly #feeds: Feed[] = [];
  readonly #receivers: RunningReceiver[] = [];
  #health: HealthServer | undefined;
  #isReady = false;

  private constructor(config: Config, { incidents, ready }: CollectorOptions) {
    this.#config = config;
    this.#incidents = incidents ?? new Incidents();
    this.#ready = ready ?? noReady;
  }

  /** When a part cannot start, those that did are stopped again. */
  static async start(config: Config, options: CollectorOptions = {}): Promise<Collector> {
    const collector = new Collector(config, options);
    try {
      await collector.#start();
      return collector;
    } catch (error) {
      await collector.stop(AbortSignal.abort());
      throw error;
    }
  }

  /** What waits is delivered as far as that can be done before the deadline; the log keeps the rest. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#isReady = false;
    // Senders that keep their requests open must not take the time that delivering needs.
    const soon = AbortSignal.any([deadline, AbortSignal.timeout(receiverStopMs)]);
    await Promise.all(this.#receivers.map((receiver) => receiver.stop(soon)));
    await Promise.all(this.#feeds.map((feed) => feed.stop(deadline)));
    await this.#log?.close();
    await this.#health?.stop();
  }

  async #start(): Promise<void> {
    const { requestMaxBytes, requestsMaxBytes } = this.#config;
    const receiverModules = loadReceivers(this.#config);
    await prepareDataDir(this.#config.dataDir);
    const log = (this.#log = await this.#openLog());
    const intake = new Intake({ log, requestMaxBytes, requestsMaxBytes });
    for (const output of this.#config.outputs) await this.#openFeed(log, output);
    await this.#startHealth(log, intake);
    for (const feed of this.#feeds) feed.start();
    await this.#startReceivers(intake, await receiverModules);
    this.#isReady = true;
  }

  async #openLog(): Promise<Log> {
    const { log, logMaxBytes: maxBytes, whenFull, dataDir } = this.#config;
    const incidents = this.#incidents;
    if (log === "memory") {
      const { MemoryLog } = await import("./log/memory-log.ts");
      return new MemoryLog({ maxBytes, whenFull, incidents });
    }
    const { DiskLog } = await import("./log/disk-log.ts");
    const folder = join(dataDir, "log");
    return await DiskLog.open({ folder, maxBytes, whenFull, incidents });
  }

  async #openFeed(log: Log, config: Config["outputs"][number]): Promise<void> {
    const { name } = config;
    const incidents = this.#incidents;
    const context = {
      name,
      logId: log.id,
      incidents,
      host: this.#config.host,
      ready: this.#ready,
    };
    const output = await openOutput(config, context);
    const deadLetters = new DeadLetters(join(this.#config.dataDir, "dead", `${name}.jsonl`));
    const reader = await log.reader(name);
    this.#feeds.push(new Feed({ name, log, reader, output, deadLetters, incidents }));
  }

  async #startHealth(log: Log, intake: Intake): Promise<void> {
    const { host, webPort } = this.#config;
    if (webPort === "off") return;
    const feeds = this.#feeds;
    const version = packageVersion();
    const receivers = this.#receivers;
    const incidents = this.#incidents;
    const names = ["otlp_http", "otlp_grpc"] as const;
    this.#health = await startHealth(
      {
        isReady: () => this.#isReady,
        receivers: () => receivers.map(({ name, url }) => ({ name, url })),
        log,
        feeds,
        metrics: () => ownMetrics({ version, intake, receivers: names, log, feeds, incidents }),
      },
      { host, port: webPort, setting: "web_port" },
    );
    this.#ready("health and own metrics", this.#health.url);
  }

  async #startReceivers(
    intake: Intake,
    { http, grpc }: Awaited<ReturnType<typeof loadReceivers>>,
  ): Promise<void> {
    const { host, otlpHttpPort, otlpGrpcPort } = this.#config;
    if (http && otlpHttpPort !== "off") {
      const where = { host, port: otlpHttpPort, setting: "otlp_http_port" };
      const receiver = await http.startOtlpHttp(intake, where);
      this.#receivers.push({ name: "otlp_http", ...receiver });
      this.#ready("OTLP/HTTP", receiver.url);
    }
    if (grpc && otlpGrpcPort !== "off") {
      const where = { host, port: otlpGrpcPort, setting: "otlp_grpc_port" };
      const receiver = await grpc.startOtlpGrpc(intake, where);
      this.#receivers.push({ name: "otlp_grpc", ...receiver });
      this.#ready("OTLP/gRPC", receiver.url);
    }
  }
}

/** Begun early, because loading grpc-js takes longer than anything else at start. */
async function loadReceivers({ otlpHttpPort, otlpGrpcPort }: Config) {
  const [http, grpc] = await Promise.all([
    otlpHttpPort === "off" ? undefined : import("./receive/otlp-http.ts"),
    otlpGrpcPort === "off" ? undefined : import("./receive/otlp-grpc.ts"),
  ]);
  return { http, grpc };
}
