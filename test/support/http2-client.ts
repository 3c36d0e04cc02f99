// Node's own HTTP/2 as a gRPC client: the foreign side of tests, with every header in the test's hands.

import {
  type ClientHttp2Session,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type Settings,
} from "node:http2";

export interface Http2Answer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export class Http2Peer {
  readonly session: ClientHttp2Session;

  constructor(url: string, settings: Settings = {}) {
    this.session = connect(url, { settings });
    this.session.on("error", () => {});
  }

  call(path: string, body: Uint8Array, headers: OutgoingHttpHeaders = {}): Promise<Http2Answer> {
    return new Promise((resolve, reject) => {
      const stream = this.session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
        ...headers,
      });
      let answered: IncomingHttpHeaders = {};
      let trailers: IncomingHttpHeaders = {};
      const parts: Buffer[] = [];
      stream.on("response", (headers) => (answered = headers));
      stream.on("trailers", (headers) => (trailers = headers));
      stream.on("data", (part: Buffer) => parts.push(part));
      stream.on("error", reject);
      stream.on("close", () => {
        // Trailers alone come as the first headers.
        const last = answered["grpc-status"] === undefined ? trailers : answered;
        resolve({ headers: answered, trailers: last, body: Buffer.concat(parts) });
      });
      stream.end(body);
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.session.close(() => resolve()));
  }
}
