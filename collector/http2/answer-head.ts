// What the headers and trailers of an answer say of how a call ended.

import { decodeBinary, type GrpcStatus, grpcCodes, percentDecode } from "./grpc-status.ts";
import type { HeaderSink } from "./header-decoder.ts";

export class AnswerHead implements HeaderSink {
  /** Of HTTP. */
  status = 0;
  #code: number | undefined;
  #message = "";
  #details: Buffer | undefined;

  header(name: string, value: string): void {
    switch (name) {
      case ":status":
        this.status = Number(value);
        break;
      case "grpc-status":
        this.#code = /^\d{1,9}$/.test(value) ? Number(value) : grpcCodes.unknown;
        break;
      case "grpc-message":
        this.#message = percentDecode(value);
        break;
      case "grpc-status-details-bin":
        this.#details = decodeBinary(value);
        break;
      default:
    }
  }

  get grpcStatus(): GrpcStatus {
    const message = this.#message;
    if (this.#code !== undefined) {
      const details = this.#details ? { details: this.#details } : {};
      return { code: this.#code, message, ...details };
    }
    return { code: codeOf(this.status), message: message || `HTTP ${this.status} without gRPC` };
  }
}

/**
 * As gRPC sorts what proxies answer (doc/http-grpc-status-mapping.md), except for 413, which is UNKNOWN there:
 * whoever sends the same again would do so for ever.
 */
function codeOf(status: number): number {
  switch (status) {
    case 400:
      return grpcCodes.internal;
    case 401:
      return grpcCodes.unauthenticated;
    case 403:
      return grpcCodes.permissionDenied;
    case 404:
      return grpcCodes.unimplemented;
    case 413:
      return grpcCodes.resourceExhausted;
    case 429:
    case 502:
    case 503:
    case 504:
      return grpcCodes.unavailable;
    default:
      return grpcCodes.unknown;
  }
}
