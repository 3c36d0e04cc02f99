// What a gRPC server asks of whoever answers its calls: unary ones, bytes in and bytes out.

import type { GrpcStatus } from "./grpc-status.ts";
import type { RequestHead } from "./request-head.ts";

export interface GrpcService {
  /** Asked when a call's headers have come: why it is not wanted. */
  admit(head: RequestHead): GrpcStatus | undefined;
  /** Asked when the message's size is known, before any of it is kept: why there is no room for it. */
  hold(bytes: number, head: RequestHead): GrpcStatus | undefined;
  /** What `hold` has granted is given back. */
  release(bytes: number): void;
  /** The message is lent until there is a reply, which must not refer to it. */
  call(head: RequestHead, message: Buffer, isCompressed: boolean): Promise<GrpcReply>;
}

export type GrpcReply =
  | { readonly kind: "message"; readonly message: Uint8Array }
  | { readonly kind: "status"; readonly status: GrpcStatus };
