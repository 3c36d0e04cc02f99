// Builds the collector from its configuration and takes it down again: outputs run before receivers
// take anything, and receivers stop before outputs do.

import type { IncomingMessage, ServerResponse } from "node:http";
import { join, resolve } from "node:path";
import { type Gate, openAccess } from "./access.ts";
import { openOutput, openSteps } from "./components.ts";
import { type Config, sendsTokenInClear } from "./config/schema.ts";
import { prepareDataDir } from "./data-dir.ts";
import { type HealthServer, startHealth } from "./health.ts";
import type { Entry, Log } from "./log/log.ts";
import { Gathering } from "./memory/gathering.ts";
import { Memory } from "./memory/memory.ts";
import { settledBy } from "./output/books.ts";
import { DeadLetters } from "./output/dead-letters.ts";
import { Feed } from "./output/feed.ts";
import { Resender } from "./output/resend.ts";
import { announce } from "./presence.ts";
import type { Api, ApiOutput } from "./query/api.ts";
import { Intake, type Receiver, type ReceiverName } from "./receive/intake.ts";
import { Incidents } from "./telemetry/incidents.ts";
import { ownMetrics } from "./telemetry/own-metrics.ts";
import { packageVersion } from "./version.ts";
import type { Signal } from "./wire/batch.ts";

export interface CollectorOptions {
  readonly incidents?: Incidents;
  readonly memory?: Memory;
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
  /** One for all, so that what one part does not need any more is there for the others. */
  readonly #memory: Memory;
  readonly #ready: (what: string, url: string) => void;
  #access: Gate = openAccess;
  #log: OpenedLog | undefined;
  readonly #feeds: Feed[] = [];
  /** The same outputs as the API sees them. */
  readonly #outputs: ApiOutput[] = [];
  readonly #receivers: RunningReceiver[] = [];
  #health: HealthServer | undefined;
  #api: Promise<Api> | undefined;
  #withdraw: (() => Promise<void>) | undefined;
  #isReady = false;

  private constructor(config: Config, { incidents, memory, ready }: CollectorOptions) {
    this.#config = config;
    this.#incidents = incidents ?? new Incidents();
    this.#memory = memory ?? new Memory();
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
    await Promise.all(this.#outputs.map(({ resender }) => resender.stop(deadline)));
    await Promise.all(this.#feeds.map((feed) => feed.stop(deadline)));
    await this.#withdraw?.();
    await this.#log?.log.close();
    await this.#health?.stop();
    this.#access.close();
  }

  async #start(): Promise<void> {
    const { requestMaxBytes, requestsMaxBytes } = this.#config;
    const receiverModules = loadReceivers(this.#config);
    await this.#openAccess();
    await prepareDataDir(this.#config.dataDir);
    this.#log = await this.#openLog();
    const { log } = this.#log;
    const readers = () => this.#feeds.map(({ reader }) => reader);
    const intake = new Intake({ log, readers, requestMaxBytes, requestsMaxBytes });
    for (const output of this.#config.outputs) await this.#openFeed(log, output);
    await this.#startHealth(log, intake);
    for (const feed of this.#feeds) feed.start();
    await this.#startReceivers(intake, await receiverModules);
    await this.#announce();
    this.#isReady = true;
  }

  async #openAccess(): Promise<void> {
    const { host, authToken, authTokenFile, tlsCert } = this.#config;
    if ([authToken, authTokenFile, tlsCert].every((setting) => setting === undefined)) return;
    const { openGuard } = await import("./access/guard.ts");
    this.#access = openGuard(this.#config, this.#incidents);
    if (sendsTokenInClear(this.#config)) this.#incidents.tokenInClear(host);
  }

  async #openLog(): Promise<OpenedLog> {
    const { log: kind, logMaxBytes: maxBytes, whenFull, dataDir } = this.#config;
    const incidents = this.#incidents;
    if (kind === "memory") {
      const { MemoryLog } = await import("./log/memory-log.ts");
      const log = new MemoryLog({ maxBytes, whenFull, incidents });
      return { log, held: () => log.held() };
    }
    const { DiskLog } = await import("./log/disk-log.ts");
    const folder = join(dataDir, "log");
    const memory = this.#memory;
    const log = await DiskLog.open({ folder, maxBytes, whenFull, memory, incidents });
    return { log, held: () => heldOnDisk(folder) };
  }

  async #openFeed(log: Log, config: Config["outputs"][number]): Promise<void> {
    const { name } = config;
    const incidents = this.#incidents;
    const memory = this.#memory;
    const reader = await log.reader(name);
    const context = {
      name,
      logId: log.id,
      incidents,
      host: this.#config.host,
      access: this.#access,
      ready: this.#ready,
      memory,
      stateDir: join(this.#config.dataDir, "state"),
      settled: (signal: Signal) => settledBy(reader.memo, signal),
    };
    const output = await openOutput(config, context);
    const path = join(this.#config.dataDir, "dead", `${name}.jsonl`);
    const deadLetters = new DeadLetters(path, undefined, log.id);
    // Without it, letters may stand in the file twice; that must not keep us from taking data.
    const failed = (error: unknown): void => incidents.outputFailed(name, error);
    await deadLetters.takeBack(reader.committedUpTo).catch(failed);
    const steps = await openSteps(config.steps, { incidents });
    const feed = new Feed({ name, log, reader, output, steps, deadLetters, incidents, memory });
    this.#feeds.push(feed);
    const resender = new Resender({ name, output, deadLetters, incidents });
    this.#outputs.push({ feed, wants: output.wants, steps, resender });
  }

  async #startHealth(log: Log, intake: Intake): Promise<void> {
    const { host, webPort } = this.#config;
    if (webPort === "off") return;
    const feeds = this.#feeds;
    const version = packageVersion();
    const receivers = this.#receivers;
    const incidents = this.#incidents;
    const resenders = this.#outputs.map(({ resender }) => resender);
    const names = ["otlp_http", "otlp_grpc"] as const;
    this.#health = await startHealth(
      {
        isReady: () => this.#isReady,
        receivers: () => receivers.map(({ name, url }) => ({ name, url })),
        log,
        feeds,
        metrics: () =>
          ownMetrics({ version, intake, receivers: names, log, feeds, resenders, incidents }),
        api: (request, response) => void this.#answerApi(request, response),
      },
      { host, port: webPort, setting: "web_port" },
      this.#access,
    );
    this.#ready("health and own metrics", this.#health.url);
  }

  /** What only helps commands to find us must not keep us from taking data. */
  async #announce(): Promise<void> {
    try {
      const urlOf = (name: string) =>
        this.#receivers.find((receiver) => receiver.name === name)?.url;
      this.#withdraw = await announce(this.#config.dataDir, {
        url: this.#health?.url,
        otlpHttp: urlOf("otlp_http"),
        otlpGrpc: urlOf("otlp_grpc"),
        outputs: this.#feeds.map(({ name }) => name),
      });
    } catch (error) {
      this.#incidents.notAnnounced(String(error));
    }
  }

  async #answerApi(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const api = await (this.#api ??= this.#openApi());
    await api.answer(request, response);
  }

  /** Loaded when somebody asks for the first time, so that starting takes no longer. */
  async #openApi(): Promise<Api> {
    const { Api } = await import("./query/api.ts");
    const { dataDir, host } = this.#config;
    const held = this.#log?.held ?? nothingHeld;
    return new Api({ dataDir: resolve(dataDir), host, outputs: this.#outputs, held });
  }

  async #startReceivers(
    intake: Intake,
    { http, grpc }: Awaited<ReturnType<typeof loadReceivers>>,
  ): Promise<void> {
    const { host, otlpHttpPort, otlpGrpcPort, corsOrigins, maxConnections } = this.#config;
    const access = this.#access;
    const incidents = this.#incidents;
    const gathering = new Gathering(this.#memory);
    if (http && otlpHttpPort !== "off") {
      const where = { host, port: otlpHttpPort, setting: "otlp_http_port" };
      const limits = { maxConnections };
      const options = { access, corsOrigins, limits, incidents, gathering };
      const receiver = await http.startOtlpHttp(intake, where, options);
      this.#receivers.push({ name: "otlp_http", ...receiver });
      this.#ready("OTLP/HTTP", receiver.url);
    }
    if (grpc && otlpGrpcPort !== "off") {
      const where = { host, port: otlpGrpcPort, setting: "otlp_grpc_port" };
      const options = { access, limits: { maxConnections }, gathering };
      const receiver = await grpc.startOtlpGrpc(intake, where, options);
      this.#receivers.push({ name: "otlp_grpc", ...receiver });
      this.#ready("OTLP/gRPC", receiver.url);
    }
  }
}

interface OpenedLog {
  readonly log: Log;
  /** What it still has, for who searches it. */
  readonly held: () => AsyncIterable<Entry>;
}

async function* nothingHeld(): AsyncGenerator<Entry> {}

async function* heldOnDisk(folder: string): AsyncGenerator<Entry> {
  const { heldIn } = await import("./log/inspect.ts");
  yield* heldIn(folder);
}

/** Begun early: loading takes longer than anything else at start. */
async function loadReceivers({ otlpHttpPort, otlpGrpcPort }: Config) {
  const [http, grpc] = await Promise.all([
    otlpHttpPort === "off" ? undefined : import("./receive/otlp-http.ts"),
    otlpGrpcPort === "off" ? undefined : import("./receive/otlp-grpc.ts"),
  ]);
  return { http, grpc };
}
