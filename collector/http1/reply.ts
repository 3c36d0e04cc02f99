// What is answered to a request, and its bytes. A reply that is given again and again, as that of an
// accepted request is, is made once and encoded once a second, because of its date.

import { type Malformed, maxHeadBytes } from "./head.ts";

export interface ReplyParts {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** How a reply goes out: whether more can follow, and whether its body is left away, as for HEAD. */
export interface Manner {
  readonly connection: "" | "close" | "keep-alive";
  readonly isBodiless: boolean;
}

const usual: Manner = { connection: "", isBodiless: false };

export class Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
  #encoded: Buffer | undefined;
  #date = "";

  constructor({ status, headers = {}, body = "" }: ReplyParts) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  with(headers: Readonly<Record<string, string>>): Reply {
    const { status, body } = this;
    return new Reply({ status, body, headers: { ...this.headers, ...headers } });
  }

  /** `date` as the header has it. */
  encode(date: string, { connection, isBodiless }: Manner = usual): Buffer {
    const isUsual = connection === "" && !isBodiless;
    if (isUsual && this.#encoded && this.#date === date) return this.#encoded;
    const body = Buffer.from(this.body as string); // or bytes: it takes both
    const head = Buffer.from(this.#head(date, connection, body.length), "latin1");
    const encoded = isBodiless || body.length === 0 ? head : Buffer.concat([head, body]);
    if (isUsual) {
      this.#encoded = encoded;
      this.#date = date;
    }
    return encoded;
  }

  #head(date: string, connection: Manner["connection"], length: number): string {
    const { status } = this;
    let text = `HTTP/1.1 ${status} ${phrases.get(status) ?? ""}\r\ndate: ${date}\r\n`;
    for (const [name, value] of Object.entries(this.headers)) {
      text += `${name}: ${value.replaceAll(/[^\t\x20-\x7e]/g, "?")}\r\n`;
    }
    if (connection !== "") text += `connection: ${connection}\r\n`;
    return `${text}${status === 204 ? "" : `content-length: ${length}\r\n`}\r\n`;
  }
}

export const goOn = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");

/** Plain text for whoever looks, and the end of the connection: what it was about is not known. */
export function replyTo({ status, why }: Malformed): Reply {
  const headers = { "content-type": "text/plain; charset=utf-8" };
  return new Reply({ status, headers, body: `${why}\n` });
}

export const replies = {
  noHead: replyTo({ status: 400, why: "this is not HTTP" }),
  largeHead: replyTo({ status: 431, why: `a head of more than ${maxHeadBytes} bytes` }),
  badChunks: replyTo({ status: 400, why: "the chunks of the body are malformed" }),
  cutOff: replyTo({ status: 400, why: "the connection ended within the body" }),
  tooSlow: replyTo({ status: 408, why: "the request came too slowly" }),
  crowded: replyTo({ status: 503, why: "too many requests that are not complete" }).with({
    "retry-after": "5",
  }),
  full: replyTo({ status: 503, why: "too many connections" }).with({ "retry-after": "5" }),
  failed: replyTo({ status: 500, why: "internal error" }),
} as const;

const phrases: ReadonlyMap<number, string> = new Map([
  [200, "OK"],
  [204, "No Content"],
  [400, "Bad Request"],
  [401, "Unauthorized"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [408, "Request Timeout"],
  [413, "Content Too Large"],
  [415, "Unsupported Media Type"],
  [417, "Expectation Failed"],
  [429, "Too Many Requests"],
  [431, "Request Header Fields Too Large"],
  [500, "Internal Server Error"],
  [501, "Not Implemented"],
  [503, "Service Unavailable"],
  [505, "HTTP Version Not Supported"],
]);
