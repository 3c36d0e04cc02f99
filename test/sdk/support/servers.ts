// Servers of the distribution's packages, and stand-ins for those that it does not have, each in a folder of its own on a
// free port of 127.0.0.1, for as long as a test needs it. What cannot be had is told, loudly; with CI set a package of
// the distribution that is missing is a failure.

import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { jarsOnDemand, pythonOnDemand } from "../../support/on-demand.ts";
import { until } from "../../support/until.ts";
import { freePort } from "./http.ts";

export interface Server {
  /** host:port */
  readonly address: string;
  stop(): Promise<void>;
}

/** Each gives the program, or the folder that has it; undefined where it cannot be had. */
const programs = {
  memcached: () => distributed("memcached", "/usr/bin/memcached"),
  mariadb: () => distributed("mariadb-server", "/usr/sbin/mariadbd"),
  rabbitmq: () => distributed("rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server"),
  /** Another server that speaks MongoDB's protocol. */
  mongodb: () => jarsOnDemand("mongo-java-server-1.47.0", "de.bwaldvogel:mongo-java-server:1.47.0"),
  /** S3, SQS and DynamoDB of moto. */
  aws: () =>
    pythonOnDemand("moto-5.2.5", [
      "moto==5.2.5",
      "flask==3.1.3",
      "flask-cors==6.0.5",
      "py-partiql-parser==0.6.3",
    ]),
} as const;
export type ServerName = keyof typeof programs;

export function isMissing(name: ServerName): boolean {
  return programs[name]() === undefined;
}

function distributed(debian: string, program: string): string | undefined {
  if (existsSync(program)) return program;
  const what = `${debian} cannot be had: apt-get install ${debian}`;
  if (process.env["CI"]) throw new Error(what);
  process.stderr.write(`\n  SKIPPED: ${what}\n\n`);
  return undefined;
}

export async function startServer(name: ServerName): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), `sonde-${name}-`));
  const port = await freePort();
  const program = programs[name]();
  if (program === undefined) throw new Error(`${name} cannot be had`);
  const children = await starts[name]({ program, folder, port });
  const address = `127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    for (const child of children) await end(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await until(`${name} takes connections`, () => answers(port), 60_000);
  } catch (error) {
    await stop();
    throw error;
  }
  return { address, stop };
}

interface Place {
  readonly program: string;
  /** Its own, for as long as it runs. */
  readonly folder: string;
  readonly port: number;
}

type Start = (place: Place) => Promise<readonly ChildProcess[]> | readonly ChildProcess[];

/** What is started later ends first. */
const starts: Readonly<Record<ServerName, Start>> = {
  memcached: ({ program, port }) => [
    run(program, ["-l", "127.0.0.1", "-p", String(port), "-u", "root", "-m", "16"]),
  ],
  mariadb({ program, folder, port }) {
    const common = ["--no-defaults", "--user=root", `--datadir=${join(folder, "data")}`];
    const more = ["--auth-root-authentication-method=normal", "--skip-test-db"];
    const { status, stderr } = spawnSync("mariadb-install-db", [...common, ...more], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`mariadb-install-db: ${stderr}`);
    const listen = ["--bind-address=127.0.0.1", `--port=${port}`, "--innodb-buffer-pool-size=16M"];
    const files = [`--socket=${join(folder, "socket")}`, `--pid-file=${join(folder, "pid")}`];
    return [run(program, [...common, ...listen, ...files])];
  },
  async rabbitmq({ program, folder, port }) {
    const [names, distribution] = [await freePort(), await freePort()];
    writeFileSync(join(folder, "plugins"), "[].");
    // Erlang's own finder of nodes, which would else be started in the background, and stay.
    const finder = run("epmd", ["-address", "127.0.0.1", "-port", String(names)]);
    const broker = run(program, [], {
      HOME: folder,
      ERL_EPMD_PORT: String(names),
      RABBITMQ_NODENAME: "sonde@localhost",
      RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
      RABBITMQ_NODE_PORT: String(port),
      RABBITMQ_DIST_PORT: String(distribution),
      RABBITMQ_MNESIA_BASE: folder,
      RABBITMQ_LOG_BASE: folder,
      RABBITMQ_PID_FILE: join(folder, "pid"),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "plugins"),
      RABBITMQ_CONFIG_FILE: join(folder, "none"),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "+sbwt none +S 1:1",
    });
    return [broker, finder];
  },
  mongodb: ({ program, port }) => [
    run("java", ["-cp", join(program, "*"), support("mongo.java"), String(port)]),
  ],
  aws: ({ program, port }) => [
    run(join(program, "bin/python"), ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)]),
  ],
};

function support(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

function run(program: string, args: readonly string[], env: Record<string, string> = {}) {
  return spawn(program, args, { env: { PATH: process.env["PATH"], ...env }, stdio: "ignore" });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}

function answers(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => resolve(true)).on("error", () => resolve(undefined));
    socket.on("connect", () => socket.destroy());
  });
}
