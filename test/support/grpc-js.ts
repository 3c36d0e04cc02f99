// A server by grpc-js with one method, for what must get on with others' gRPC.

import * as grpc from "@grpc/grpc-js";

/** As it is: what the messages mean is not the matter. */
export const asIs = (bytes: Buffer): Buffer => bytes;

export interface GrpcJsServer {
  readonly port: number;
  stop(): void;
}

export async function startGrpcJs(
  path: string,
  handle: grpc.handleUnaryCall<Buffer, Buffer>,
): Promise<GrpcJsServer> {
  const server = new grpc.Server({ "grpc.max_receive_message_length": 64 << 20 });
  const method = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  } as const;
  server.addService({ method }, { method: handle });
  const credentials = grpc.ServerCredentials.createInsecure();
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", credentials, (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
  return { port, stop: () => server.forceShutdown() };
}
