// OTLP over gRPC: the three export services, and the health service beside them.

import type { Socket } from "node:net";
import { type Access, openAccess } from "../access.ts";
import type { GrpcReply, GrpcService } from "../http2/grpc-service.ts";
import { type GrpcStatus, grpcCodes } from "../http2/grpc-status.ts";
import type { RequestHead } from "../http2/request-head.ts";
import { GrpcServer } from "../http2/server.ts";
import { type ServerLimits, usualServerLimits } from "../http2/server-limits.ts";
import { authority, listen, type Listening } from "../listen.ts";
import { Gathering } from "../memory/gathering.ts";
import type { Memory } from "../memory/memory.ts";
import type { Signal } from "../wire/batch.ts";
import { decompress, Plain } from "./decompress.ts";
import { encodeResponse } from "./export-response.ts";
import { encodeHealth, healthPath, serviceAskedFor } from "./health-service.ts";
import type { Answer, Intake, Receiver } from "./intake.ts";
import { encodeStatus, statusOf } from "./rpc-status.ts";

const services: Readonly<Record<Signal, string>> = {
  traces: "opentelemetry.proto.collector.trace.v1.TraceService",
  metrics: "opentelemetry.proto.collector.metrics.v1.MetricsService",
  logs: "opentelemetry.proto.collector.logs.v1.LogsService",
};

const signalOfPath = new Map<string, Signal>(
  (Object.keys(services) as Signal[]).map((signal) => [`/${services[signal]}/Export`, signal]),
);

const longestHealthBytes = 1_024;

export interface OtlpGrpcOptions {
  readonly access?: Access;
  readonly limits?: Partial<ServerLimits>;
  readonly gathering?: Gathering;
}

export async function startOtlpGrpc(
  intake: Intake,
  where: Listening,
  options: OtlpGrpcOptions = {},
): Promise<Receiver> {
  const { access = openAccess, limits = {}, gathering = new Gathering() } = options;
  const service = new OtlpService(intake, access, gathering.memory);
  const server = new GrpcServer(service, { ...usualServerLimits, ...limits }, gathering);
  const listener = access.createServer(["h2"]);
  listener.on(access.connectionEvent, (socket: Socket) => server.accept(socket));
  const port = await listen(listener, where);
  return {
    url: `${access.isTls ? "grpcs" : "grpc"}://${authority(where.host, port)}`,
    async stop(deadline) {
      service.isServing = false;
      listener.close();
      await server.stop(deadline);
    },
  };
}

class OtlpService implements GrpcService {
  isServing = true;
  readonly #intake: Intake;
  readonly #access: Access;
  readonly #memory: Memory;

  constructor(intake: Intake, access: Access, memory: Memory) {
    this.#memory = memory;
    this.#intake = intake;
    this.#access = access;
  }

  admit({ path, encoding, authorization }: RequestHead): GrpcStatus | undefined {
    if (path === healthPath) return undefined;
    if (!this.#access.allows(authorization)) {
      const message =
        "authorization: give Bearer and the token that this collector was started with";
      return { code: grpcCodes.unauthenticated, message };
    }
    if (!signalOfPath.has(path)) {
      const message = `no such method: ${path.slice(0, 200)}`;
      return { code: grpcCodes.unimplemented, message };
    }
    if (encoding !== "identity" && encoding !== "gzip") {
      const message = `grpc-encoding ${encoding.slice(0, 100)}: give gzip or identity`;
      return { code: grpcCodes.unimplemented, message };
    }
    return undefined;
  }

  hold(bytes: number, { path }: RequestHead): GrpcStatus | undefined {
    const { requestMaxBytes } = this.#intake;
    if (path === healthPath && bytes > longestHealthBytes) {
      const message = `a message of ${bytes} bytes, at most ${longestHealthBytes} are taken here`;
      return { code: grpcCodes.resourceExhausted, message };
    }
    if (bytes > requestMaxBytes) {
      const message = `a message of ${bytes} bytes, request_max_bytes is ${requestMaxBytes}`;
      return { code: grpcCodes.resourceExhausted, message };
    }
    const refused = this.#intake.hold(bytes);
    return refused && statusFor(refused);
  }

  release(bytes: number): void {
    this.#intake.release(bytes);
  }

  async call(head: RequestHead, message: Buffer, isCompressed: boolean): Promise<GrpcReply> {
    const signal = signalOfPath.get(head.path);
    if (!signal) return this.#health(message);
    if (!isCompressed) return replyOf(await this.#intake.take("otlp_grpc", signal, message));
    if (head.encoding !== "gzip") return notAnnounced;
    return replyOf(await this.#unpack(signal, message));
  }

  /** What the content holds in memory is accounted for beside the message itself. */
  async #unpack(signal: Signal, message: Buffer): Promise<Answer> {
    const intake = this.#intake;
    let heldBytes = 0;
    const plain = await decompress(message, "gzip", {
      maxBytes: intake.requestMaxBytes,
      memory: this.#memory,
      hold: (bytes) => {
        const refused = intake.hold(bytes, message.length + heldBytes);
        if (!refused) heldBytes += bytes;
        return refused;
      },
      release: (bytes) => {
        intake.release(bytes);
        heldBytes -= bytes;
      },
      tooLarge: () => intake.tooLarge(),
    });
    try {
      if (plain instanceof Plain) return await intake.take("otlp_grpc", signal, plain.bytes);
      if (plain.kind !== "unavailable") {
        intake.count("otlp_grpc", signal, { outcome: "invalid", items: 1 }); // nobody can tell how many
      }
      return plain;
    } finally {
      if (plain instanceof Plain) plain.release();
      intake.release(heldBytes);
    }
  }

  #health(message: Buffer): GrpcReply {
    const asked = serviceAskedFor(message);
    if (asked === "" || Object.values(services).some((name) => name === asked)) {
      return { kind: "message", message: encodeHealth(this.isServing) };
    }
    const status = { code: grpcCodes.notFound, message: "no such service here" };
    return { kind: "status", status };
  }
}

const notAnnounced: GrpcReply = {
  kind: "status",
  status: { code: grpcCodes.internal, message: "a compressed message without grpc-encoding" },
};

function replyOf(answer: Answer): GrpcReply {
  if (answer.kind === "accepted") return { kind: "message", message: encodeResponse(answer) };
  return { kind: "status", status: statusFor(answer) };
}

function statusFor(answer: Answer): GrpcStatus {
  if (answer.kind === "accepted") return { code: grpcCodes.ok, message: "" };
  const status = statusOf(answer);
  return { code: status.code, message: status.message, details: encodeStatus(status) };
}
