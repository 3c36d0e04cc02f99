// A gRPC service of our server's that answers with what it was sent, and keeps the accounts that a
// real one keeps: what it holds must come back to nothing.

import { createServer } from "node:net";
import type { GrpcReply, GrpcService } from "../../collector/http2/grpc-service.ts";
import { type GrpcStatus, grpcCodes } from "../../collector/http2/grpc-status.ts";
import type { RequestHead } from "../../collector/http2/request-head.ts";
import { GrpcServer } from "../../collector/http2/server.ts";
import { Gathering } from "../../collector/memory/gathering.ts";
import type { Turns } from "../../collector/memory/turns.ts";
import { type ServerLimits, usualServerLimits } from "../../collector/http2/server-limits.ts";
import { listenLocally } from "./listen.ts";
import { spoiled } from "./memory.ts";

export class EchoService implements GrpcService {
  heldBytes = 0;
  calls = 0;
  /** Of one message. */
  maxBytes = 8 << 20;
  /** Calls wait for it. */
  gate: Promise<void> | undefined;

  admit({ path }: RequestHead): GrpcStatus | undefined {
    if (path === "/echo") return undefined;
    return { code: grpcCodes.unimplemented, message: `no ${path}` };
  }

  hold(bytes: number): GrpcStatus | undefined {
    if (bytes > this.maxBytes) return { code: grpcCodes.resourceExhausted, message: "too large" };
    this.heldBytes += bytes;
    return undefined;
  }

  release(bytes: number): void {
    this.heldBytes -= bytes;
  }

  async call(_head: RequestHead, message: Buffer): Promise<GrpcReply> {
    this.calls++;
    await this.gate;
    if (message.toString() === "throw") throw new Error("it was asked to");
    return { kind: "message", message: Buffer.from(message) };
  }
}

export interface Echo {
  readonly url: string;
  readonly service: EchoService;
  readonly server: GrpcServer;
  close(): Promise<void>;
}

export async function startEcho(limits: Partial<ServerLimits> = {}, turns?: Turns): Promise<Echo> {
  const service = new EchoService();
  const gathering = new Gathering(spoiled(), turns);
  const server = new GrpcServer(service, { ...usualServerLimits, ...limits }, gathering);
  const listener = createServer((socket) => server.accept(socket));
  const port = await listenLocally(listener);
  return {
    url: `http://127.0.0.1:${port}`,
    service,
    server,
    async close() {
      listener.close();
      await server.stop(AbortSignal.abort());
    },
  };
}
