// A request over HTTP with its answer, whichever way it goes: plain-http.ts or tls-http.ts.

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: readonly Uint8Array[];
}

export interface Way {
  /** Ends soon after the signal. Once there is a value, nothing of the request is on its way any more. */
  exchange(request: HttpRequest, signal: AbortSignal): Promise<Exchange>;
  /** Connections that have been idle are likely to be closed once one of them is. */
  dropIdle(): void;
  close(): void;
}

export interface WayOptions {
  /** To each server. */
  readonly maxConnections: number;
  /** No more than that is read of an answer's body. */
  readonly longestAnswerBytes: number;
}

export type Exchange =
  | Answered
  /** The server closed a connection that had been idle, just when we took it up again. */
  | { readonly kind: "stale"; readonly error: Error }
  | { readonly kind: "failed"; readonly error: Error };

export interface Answered {
  readonly kind: "answered";
  readonly status: number;
  /** By their names in small letters. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  /** What has come of the body is not all of it: it is too long, or broke off. */
  readonly cut: "too long" | "broken off" | undefined;
}

/** As a connection that was idle ends when the server has closed it just now. */
export function isReset(error: NodeJS.ErrnoException): boolean {
  return error.code === "ECONNRESET" || error.code === "EPIPE";
}
