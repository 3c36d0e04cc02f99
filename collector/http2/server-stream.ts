// One call on a server's connection, and the frames that answer it.

import type { Gathering } from "../memory/gathering.ts";
import type { EndTurn } from "../memory/turns.ts";
import type { GrpcService } from "./grpc-service.ts";
import type { GrpcStatus } from "./grpc-status.ts";
import { encodeHeaders, type Header } from "./header-encoder.ts";
import { type MessageAdmission, MessageReader, prefixBytes } from "./message-reader.ts";
import type { Body, Sending } from "./outgoing.ts";
import type { Template } from "./outbox.ts";
import { flags, frameHeadBytes, frameTypes } from "./protocol.ts";
import type { RequestHead } from "./request-head.ts";

/** Who takes the message, and what it is gathered with. */
export interface Taking {
  readonly service: GrpcService;
  readonly gathering: Gathering;
}

export class ServerStream implements Sending, MessageAdmission {
  readonly id: number;
  readonly head: RequestHead;
  readonly reader: MessageReader;
  sendWindow = 0;
  /** Since the client was last told that it may go on. */
  takenBytes = 0;
  /** Of a large message; until its turn has come, the client is not told that it may go on. */
  endTurn: EndTurn | undefined;
  hasTurn = false;
  body: Body | undefined;
  /** The client has nothing more to send. */
  hasEnded = false;
  /** Its message has gone to the service. */
  isHandled = false;
  /** The client wants no answer any more. */
  isReset = false;
  /** When it began, or when its answer did. */
  sinceMs = performance.now();

  readonly #service: GrpcService;

  constructor(id: number, head: RequestHead, { service, gathering }: Taking) {
    this.reader = new MessageReader(gathering.memory);
    this.id = id;
    this.head = head;
    this.#service = service;
  }

  hold(bytes: number): GrpcStatus | undefined {
    return this.#service.hold(bytes, this.head);
  }
}

export const answerHead: readonly Header[] = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];

export const okHead = encodeHeaders(answerHead);
const okTrailers = encodeHeaders([["grpc-status", "0"]]);

export const notPost = encodeHeaders([[":status", "405"]]);
export const notGrpc = encodeHeaders([
  [":status", "415"],
  ["grpc-status", "3"],
  ["grpc-message", "content-type: give application/grpc or application/grpc+proto"],
]);

/** For those who mistake the two ports of OTLP for one another. */
const hint = "this port takes OTLP/gRPC, which is HTTP/2; OTLP/HTTP has a port of its own\n";
export const notHttp2 =
  "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n" +
  `content-length: ${hint.length}\r\n\r\n${hint}`;

/** The answer to nearly every call: an empty message and OK. */
export const emptyAnswer: Template = templateOf([
  [frameTypes.headers, flags.endHeaders, okHead],
  [frameTypes.data, 0, Buffer.alloc(prefixBytes)],
  [frameTypes.headers, flags.endHeaders | flags.endStream, okTrailers],
]);

function templateOf(
  frames: readonly (readonly [type: number, flags: number, payload: Buffer])[],
): Template {
  const parts: Buffer[] = [];
  const streamAt: number[] = [];
  let at = 0;
  for (const [type, set, payload] of frames) {
    streamAt.push(at + frameHeadBytes - 4);
    parts.push(Buffer.from([0, 0, payload.length, type, set, 0, 0, 0, 0]), payload);
    at += frameHeadBytes + payload.length;
  }
  return { bytes: Buffer.concat(parts), streamAt };
}

export function answerBody(message: Uint8Array, sent: () => void): Body {
  const parts = [messagePrefix(message.length, false), message];
  const remaining = prefixBytes + message.length;
  return { parts, part: 0, offset: 0, remaining, trailers: okTrailers, sent };
}

export function messagePrefix(length: number, isCompressed: boolean): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix[0] = isCompressed ? 1 : 0;
  prefix.writeUInt32BE(length, 1);
  return prefix;
}
