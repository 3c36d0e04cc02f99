// OTLP over HTTP: protobuf or JSON, compressed or not. Whatever can be refused is refused by its head,
// before its body is read; what of a body is held in memory is accounted for while it comes.

import { type Access, openAccess, unauthorized } from "../access.ts";
import type { Application, Body } from "../http1/application.ts";
import type { Head } from "../http1/head.ts";
import type { Limits } from "../http1/limits.ts";
import { Reply } from "../http1/reply.ts";
import { startHttp1 } from "../http1/server.ts";
import { authority, type Listening } from "../listen.ts";
import { Gathering } from "../memory/gathering.ts";
import { Incidents } from "../telemetry/incidents.ts";
import type { Signal } from "../wire/batch.ts";
import { fromJson, JsonError } from "../wire/from-json.ts";
import { Cors, type CorsHeaders, noHeaders } from "./cors.ts";
import { type Compression, compressions, decompress, Plain } from "./decompress.ts";
import type { Answer, Intake, Receiver } from "./intake.ts";
import { type Encoding, encodings, refusal, replyTo } from "./replies.ts";
import { rpcCodes, type RpcStatus } from "./rpc-status.ts";

export interface OtlpHttpOptions {
  readonly access?: Access;
  /** Origins of the web pages that may send. */
  readonly corsOrigins?: readonly string[];
  readonly limits?: Partial<Limits>;
  /** Requests that are being taken at a time; past it, senders are to slow down. */
  readonly maxInFlight?: number;
  readonly incidents?: Incidents;
  readonly gathering?: Gathering;
}

export async function startOtlpHttp(
  intake: Intake,
  where: Listening,
  options: OtlpHttpOptions = {},
): Promise<Receiver> {
  const { access = openAccess, limits = {}, gathering = new Gathering() } = options;
  const application = new OtlpHttp(intake, { access, gathering, ...options });
  const server = await startHttp1({ where, access, application, limits, gathering });
  return {
    url: `${access.isTls ? "https" : "http"}://${authority(where.host, server.port)}`,
    stop: (deadline) => server.stop(deadline),
  };
}

const paths: ReadonlyMap<string, Signal> = new Map([
  ["/v1/traces", "traces"],
  ["/v1/metrics", "metrics"],
  ["/v1/logs", "logs"],
]);

const usualMaxInFlight = 16_384;

/** What a request is, as far as its head says. */
interface Plan {
  readonly signal: Signal;
  readonly encoding: Encoding;
  readonly compression: Compression | undefined;
  readonly cors: CorsHeaders;
}

type ApplicationOptions = OtlpHttpOptions & {
  readonly access: Access;
  readonly gathering: Gathering;
};

class OtlpHttp implements Application {
  readonly intake: Intake;
  readonly incidents: Incidents;
  readonly gathering: Gathering;
  inFlight = 0;
  readonly #access: Access;
  readonly #cors: Cors;
  readonly #maxInFlight: number;

  constructor(intake: Intake, options: ApplicationOptions) {
    this.intake = intake;
    this.gathering = options.gathering;
    this.incidents = options.incidents ?? new Incidents();
    this.#access = options.access;
    this.#cors = new Cors(options.corsOrigins ?? []);
    this.#maxInFlight = options.maxInFlight ?? usualMaxInFlight;
  }

  begin(head: Head, length: number | undefined): Reply | Body {
    const encoding = encodingOf(head);
    const cors = this.#cors.headersFor(head);
    if (!cors) return refusal(403, foreignPage, encoding);
    const planned = this.#plan(head, encoding, cors);
    const refused = planned instanceof Reply ? planned : this.#refusal(planned.encoding, length);
    if (refused) return withHeaders(refused, cors);
    return new Incoming(this, planned as Plan); // had it been a reply, it would be the refusal
  }

  #plan(head: Head, encoding: Encoding | undefined, cors: CorsHeaders): Plan | Reply {
    const { method, path, headers } = head;
    const isPreflight = method === "OPTIONS" && headers.has("access-control-request-method");
    if (isPreflight && headers.has("origin")) return this.#cors.preflight(head, cors);
    if (!this.#access.allows(headers.get("authorization"))) {
      return refusal(unauthorized.status, noToken, encoding).with(unauthorized.headers);
    }
    const signal = paths.get(path);
    if (!signal) return refusal(404, noSuchPath, encoding);
    if (method !== "POST") {
      const rpc = { code: rpcCodes.unimplemented, message: `${method} is not taken here, POST is` };
      return refusal(405, rpc, encoding).with({ allow: "POST" });
    }
    if (!encoding) return refusal(415, wrongType(headers.get("content-type")), encoding);
    const compression = compressionOf(headers.get("content-encoding"));
    if (compression === "unknown") {
      const rpc = wrongCompression(headers.get("content-encoding"));
      return refusal(415, rpc, encoding).with({ "accept-encoding": compressions.join(", ") });
    }
    return { signal, encoding, compression, cors };
  }

  /** Of one more request, or of one of this size. */
  #refusal(encoding: Encoding, length: number | undefined): Reply | undefined {
    if (this.inFlight >= this.#maxInFlight) {
      const message = `${this.inFlight} requests are being taken, which is as many as can be`;
      const rpc = { code: rpcCodes.resourceExhausted, message, retryAfterS: 1 };
      return refusal(429, rpc, encoding);
    }
    const refused = length === undefined ? undefined : this.intake.refusalOf(length);
    return refused && replyTo(refused, "traces", encoding);
  }
}

/** A request that was let in, from its first byte to its answer. */
class Incoming implements Body {
  readonly #receiver: OtlpHttp;
  readonly #plan: Plan;
  #bodyBytes = 0;
  #heldBytes = 0;

  constructor(receiver: OtlpHttp, plan: Plan) {
    this.#receiver = receiver;
    this.#plan = plan;
    receiver.inFlight++;
  }

  hold(bytes: number): Reply | undefined {
    const { intake } = this.#receiver;
    this.#bodyBytes += bytes;
    const isTooLarge = this.#bodyBytes > intake.requestMaxBytes;
    const refused = isTooLarge ? intake.tooLarge() : this.#hold(bytes);
    if (!refused) return undefined;
    this.abandon();
    return this.#replyTo(refused);
  }

  end(body: Buffer): Promise<Reply> {
    return this.#take(body).then(
      (answer) => {
        this.abandon();
        return this.#replyTo(answer);
      },
      (error: unknown) => {
        this.abandon();
        return this.#failed(error);
      },
    );
  }

  #failed(error: unknown): Reply {
    this.#receiver.incidents.receiverFailed("otlp_http", error);
    const message = "internal error; the collector's log has it";
    const rpc = { code: rpcCodes.internal, message };
    return withHeaders(refusal(500, rpc, this.#plan.encoding), this.#plan.cors);
  }

  abandon(): void {
    this.#receiver.inFlight--;
    this.#release(this.#heldBytes);
  }

  #hold(bytes: number): Answer | undefined {
    const refused = this.#receiver.intake.hold(bytes, this.#heldBytes);
    if (!refused) this.#heldBytes += bytes;
    return refused;
  }

  #release(bytes: number): void {
    this.#receiver.intake.release(bytes);
    this.#heldBytes -= bytes;
  }

  #take(body: Buffer): Promise<Answer> {
    const { signal, encoding, compression } = this.#plan;
    const isAsItIs = !compression && encoding === "application/x-protobuf";
    if (!isAsItIs) return this.#unwrap(body);
    return this.#receiver.intake.take("otlp_http", signal, body);
  }

  /** Undoes compression and JSON first. */
  async #unwrap(body: Buffer): Promise<Answer> {
    const { intake, gathering } = this.#receiver;
    const { compression } = this.#plan;
    if (!compression) return await this.#takePlain(body);
    const plain = await decompress(body, compression, {
      maxBytes: intake.requestMaxBytes,
      memory: gathering.memory,
      hold: (more) => this.#hold(more),
      release: (bytes) => this.#release(bytes),
      tooLarge: () => intake.tooLarge(),
    });
    if (!(plain instanceof Plain)) return this.#uncounted(plain);
    try {
      return await this.#takePlain(plain.bytes);
    } finally {
      plain.release();
    }
  }

  async #takePlain(bytes: Buffer): Promise<Answer> {
    const { intake } = this.#receiver;
    const { signal, encoding } = this.#plan;
    if (encoding === "application/json" && bytes.length > 0) {
      try {
        const { bytes: made, leftOut } = fromJson(signal, bytes);
        return await intake.take("otlp_http", signal, made, leftOut);
      } catch (error) {
        if (!(error instanceof JsonError)) throw error;
        return this.#uncounted({ kind: "invalid", message: error.message });
      }
    }
    return await intake.take("otlp_http", signal, bytes);
  }

  /** How many items are lost by it nobody can tell. */
  #uncounted(answer: Answer): Answer {
    if (answer.kind !== "unavailable") {
      this.#receiver.intake.count("otlp_http", this.#plan.signal, { outcome: "invalid", items: 1 });
    }
    return answer;
  }

  #replyTo(answer: Answer): Reply {
    const { signal, encoding, cors } = this.#plan;
    return withHeaders(replyTo(answer, signal, encoding), cors);
  }
}

function withHeaders(reply: Reply, cors: CorsHeaders): Reply {
  return cors === noHeaders ? reply : reply.with(cors);
}

// ── heads ────────────────────────────────────────────────────────────────────────────────────────

function encodingOf({ headers }: Head): Encoding | undefined {
  const type = headers.get("content-type") ?? "";
  const known = encodings.find((encoding) => encoding === type);
  if (known) return known;
  const bare = type.split(";", 1)[0]!.trim().toLowerCase();
  return encodings.find((encoding) => encoding === bare);
}

function compressionOf(header: string | undefined): Compression | "unknown" | undefined {
  const name = header?.toLowerCase() ?? "";
  if (name === "" || name === "identity") return undefined;
  const plain = name === "x-gzip" ? "gzip" : name;
  return compressions.find((known) => known === plain) ?? "unknown";
}

const noSuchPath: RpcStatus = {
  code: rpcCodes.notFound,
  message: `no such path; OTLP/HTTP is at POST ${[...paths.keys()].join(", ")}`,
};

const noToken: RpcStatus = { code: rpcCodes.unauthenticated, message: unauthorized.why };

const foreignPage: RpcStatus = {
  code: rpcCodes.permissionDenied,
  message: "this web page may not send here; cors_origins names those that may",
};

function wrongType(given = ""): RpcStatus {
  const message = `content-type ${quote(given)}: give ${encodings.join(" or ")}`;
  return { code: rpcCodes.invalidArgument, message };
}

function wrongCompression(given = ""): RpcStatus {
  const message = `content-encoding ${quote(given)}: give one of ${compressions.join(", ")} or none`;
  return { code: rpcCodes.invalidArgument, message };
}

const quote = (text: string): string => JSON.stringify(text.slice(0, 100));
