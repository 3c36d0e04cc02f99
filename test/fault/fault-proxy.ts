// Stands between an output and a real server and does to its deliveries what networks and busy servers do:
// answers that get lost, come late or break off, connections that are reset, 429, 503, 413, and records of a
// request that are told to come again. A seed decides which.

import { Agent, createServer, request as httpRequest, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { listenLocally } from "../support/listen.ts";
import type { Random } from "../support/otlp.ts";

export interface ProxyOptions {
  readonly target: string;
  readonly random: Random;
  /** Of 100 deliveries, how many meet a fault. */
  readonly percent: number;
  /** Whether the request brings records; all others pass. */
  readonly isDelivery: (path: string) => boolean;
  /** Of a request whose records may be refused one by one. */
  readonly thinOut?: (body: Buffer, random: Random) => Thinned | undefined;
}

export interface Thinned {
  /** What is left of it. */
  readonly body: Buffer;
  /** The server's answer to that, with what it says of the others. */
  readonly answer: (answer: Buffer) => string;
}

export interface FaultProxy {
  readonly url: string;
  /** How often each fault was met. */
  readonly met: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

const faults = [
  "answer lost",
  "answer broken off",
  "answer late",
  "reset before",
  "429",
  "503",
  "413",
  "records refused",
] as const;

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

export async function startFaultProxy(options: ProxyOptions): Promise<FaultProxy> {
  const { target, random, percent, isDelivery, thinOut } = options;
  const agent = new Agent({ keepAlive: true });
  const met = new Map<string, number>();
  let deliveries = 0;

  const choose = (path: string): (typeof faults)[number] | "none" => {
    if (!isDelivery(path)) return "none";
    // Every second delivery meets the next fault at first, so that a short run meets them, too.
    const inTurn = faults[++deliveries / 2 - 1];
    if (!inTurn && random.below(100) >= percent) return "none";
    const fault = inTurn ?? faults[random.below(faults.length)]!;
    if (fault === "records refused" && !thinOut) return "none";
    met.set(fault, (met.get(fault) ?? 0) + 1);
    return fault;
  };
  const forward = (request: Request): Promise<Answer> => ask(target, agent, request);
  const pass = async (request: Request, response: ServerResponse): Promise<void> => {
    const { status, body } = await forward(request);
    response.writeHead(status, { "content-type": "application/json" }).end(body);
  };

  const answer = async (request: Request, response: ServerResponse): Promise<void> => {
    const fault = choose(request.path);
    switch (fault) {
      case "none":
        return await pass(request, response);
      case "answer late":
        await sleep(50 + random.below(250));
        return await pass(request, response);
      case "answer lost":
        await forward(request);
        response.socket?.resetAndDestroy();
        return;
      case "answer broken off": {
        const { status, body } = await forward(request);
        response.writeHead(status, { "content-length": body.length + 100 }).write(body);
        await sleep(10);
        response.socket?.resetAndDestroy();
        return;
      }
      case "reset before":
        response.socket?.resetAndDestroy();
        return;
      case "records refused": {
        const thinned = thinOut?.(request.body, random);
        if (!thinned) return await pass(request, response);
        const { status, body } = await forward({ ...request, body: thinned.body });
        response.writeHead(status).end(status === 200 ? thinned.answer(body) : body);
        return;
      }
      default: {
        // To be told that a small request is too large would make a dead letter of it.
        const isSmall = request.body.length < 100_000;
        if (fault === "413" && isSmall) return await pass(request, response);
        response.writeHead(Number(fault)).end();
      }
    }
  };

  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("error", () => {});
    response.on("error", () => {});
    incoming.on("end", () => {
      const { method = "GET", url: path = "/", headers } = incoming;
      const type = headers["content-type"];
      const request: Request = {
        method,
        path,
        headers: type === undefined ? {} : { "content-type": type },
        body: Buffer.concat(chunks),
      };
      answer(request, response).catch(() => response.destroy());
    });
  });
  const port = await listenLocally(server);
  return {
    url: `http://127.0.0.1:${port}`,
    met,
    close: () =>
      new Promise((resolve) => {
        agent.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function ask(target: string, agent: Agent, request: Request): Promise<Answer> {
  const { method, path, headers, body } = request;
  return new Promise((resolve, reject) => {
    const options = { method, agent, headers: { ...headers, "content-length": body.length } };
    const sent = httpRequest(target + path, options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
