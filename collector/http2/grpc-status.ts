// How a gRPC call ends: a code, a message, and details in protobuf, all of them in headers
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).

import type { Header } from "./header-encoder.ts";

export interface GrpcStatus {
  readonly code: number;
  readonly message: string;
  /** A google.rpc.Status. */
  readonly details?: Uint8Array;
}

export const grpcCodes = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

/** INVALID_ARGUMENT and so on, as people know them. */
export function nameOfCode(code: number): string {
  const name = Object.entries(grpcCodes).find(([, known]) => known === code)?.[0];
  return name ? name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase() : String(code);
}

// Clients take 8 KiB of headers at least.
const maxMessageCharacters = 512;
const maxDetailsBytes = 2_048;

/** The headers that say so. */
export function headersOfStatus({ code, message, details }: GrpcStatus): readonly Header[] {
  const headers: Header[] = [["grpc-status", String(code)]];
  if (message)
    headers.push(["grpc-message", percentEncode(message.slice(0, maxMessageCharacters))]);
  if (details && details.length <= maxDetailsBytes) {
    headers.push(["grpc-status-details-bin", encodeBinary(details)]);
  }
  return headers;
}

/** All but printable ASCII as %XX of UTF-8. */
export function percentEncode(message: string): string {
  if (/^[ -$&-~]*$/.test(message)) return message;
  let encoded = "";
  for (const byte of Buffer.from(message)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** What is not a code stays as it is: the message is for people and must never be lost. */
export function percentDecode(message: string): string {
  if (!message.includes("%")) return message;
  const bytes = message.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}

function encodeBinary(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replace(/=+$/, "");
}

/** With padding or without. */
export function decodeBinary(value: string): Buffer {
  return Buffer.from(value, "base64");
}
