// The head of a request: where it ends, and what it says. Strict, because what two readers of one byte
// stream understand differently is how requests are smuggled past the first of them: a head that is not
// exactly as RFC 9112 has it is refused, and its connection closed.

export interface Head {
  readonly method: string;
  /** As it was sent, without the query, and without scheme and host where a proxy has left them in. */
  readonly path: string;
  readonly isHttp10: boolean;
  /** Whether another request may follow on the connection. */
  readonly isKeptAlive: boolean;
  readonly expectsContinue: boolean;
  /** Of the body in bytes; undefined when it comes in chunks. */
  readonly length: number | undefined;
  /** By names in lower case; values of one name are joined by commas. */
  readonly headers: ReadonlyMap<string, string>;
}

/** What is wrong with a request before anybody looks at what it wants. */
export interface Malformed {
  readonly status: number;
  readonly why: string;
}

export const maxHeadBytes = 16_384;
const maxHeaders = 100;

export const incomplete = 0;
export const damaged = -1;

/**
 * The index behind the empty line that ends the head, `incomplete`, or `damaged` at a byte that has no
 * place in a head. `from` is where to go on when the bytes before it were looked at already.
 */
export function endOfHead(bytes: Uint8Array, start: number, from = start): number {
  const { length } = bytes;
  for (let at = from; at < length; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x20 && byte !== 0x7f) continue;
    if (byte === carriageReturn) {
      if (at + 1 < length && bytes[at + 1] !== lineFeed) return damaged;
    } else if (byte === lineFeed) {
      if (at === start || bytes[at - 1] !== carriageReturn) return damaged;
      if (at - 2 >= start && bytes[at - 2] === lineFeed) return at + 1;
    } else if (byte !== tab) return damaged;
  }
  return incomplete;
}

const tab = 0x09;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

const requestLine = /^([!#$%&'*+\-.^_`|~\dA-Za-z]{1,32}) ([\x21-\x7e]+) HTTP\/(\d)\.(\d)$/;
const token = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/;

const isToken = Uint8Array.from({ length: 256 }, (_, code) =>
  token.test(String.fromCharCode(code)) ? 1 : 0,
);

export const isTokenByte = (byte: number): boolean => isToken[byte] === 1;

/** These say what only one can say. */
const single = new Set([
  "authorization",
  "content-length",
  "content-type",
  "expect",
  "host",
  "origin",
  "transfer-encoding",
]);

/** `text` is a head that `endOfHead` has found. */
export function parseHead(text: string): Head | Malformed {
  const lines = text.split("\r\n");
  lines.length -= 2; // behind the empty line
  const [, method, target, major, minor] = requestLine.exec(lines[0] ?? "") ?? [];
  if (method === undefined || target === undefined) return bad("the request line is not HTTP");
  if (major !== "1" || (minor !== "0" && minor !== "1")) {
    return { status: 505, why: "HTTP/1.1 is spoken here" };
  }
  if (lines.length - 1 > maxHeaders) {
    return { status: 431, why: `more than ${maxHeaders} headers` };
  }
  const headers = new Map<string, string>();
  for (let index = 1; index < lines.length; index++) {
    const why = addHeader(headers, lines[index]!);
    if (why !== undefined) return bad(why);
  }
  const path = pathOf(target);
  if (path === undefined) return bad("the request target is no path");
  return withFraming({ method, path, isHttp10: minor === "0", headers });
}

const bad = (why: string): Malformed => ({ status: 400, why });

/** What is wrong with the line, if anything is. */
function addHeader(headers: Map<string, string>, line: string): string | undefined {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(0, colon)).toLowerCase();
  // Also what is folded over two lines, which begins with a space.
  if (!token.test(name)) return "a header whose name is none";
  const value = withoutSpaceAround(line, colon + 1);
  const before = headers.get(name);
  if (before === undefined) headers.set(name, value);
  else if (single.has(name)) return `two headers ${name}`;
  else headers.set(name, `${before}, ${value}`);
  return undefined;
}

/** String.trim would take off more than HTTP calls white space. */
function withoutSpaceAround(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isSpace(line.charCodeAt(start))) start++;
  while (end > start && isSpace(line.charCodeAt(end - 1))) end--;
  return line.slice(start, end);
}

const isSpace = (code: number): boolean => code === 0x20 || code === tab;

function pathOf(target: string): string | undefined {
  const path = target.startsWith("/") ? target : /^https?:\/\/[^/?#]+(.*)$/i.exec(target)?.[1];
  if (path === undefined) return target === "*" ? target : undefined;
  if (path.includes("#")) return undefined;
  const query = path.indexOf("?");
  return (query < 0 ? path : path.slice(0, query)) || "/";
}

type Plain = Pick<Head, "method" | "path" | "isHttp10" | "headers">;

/** Adds how long the body is and what becomes of the connection. */
function withFraming(plain: Plain): Head | Malformed {
  const { headers, isHttp10 } = plain;
  if (!isHttp10 && !headers.has("host")) return bad("no header host");
  const contentLength = headers.get("content-length");
  const coding = headers.get("transfer-encoding");
  if (coding !== undefined) {
    if (contentLength !== undefined) return bad("both content-length and transfer-encoding");
    if (isHttp10) return bad("transfer-encoding in HTTP/1.0");
    if (coding.toLowerCase() !== "chunked") {
      return { status: 501, why: "of transfer-encodings only chunked is taken" };
    }
  } else if (contentLength !== undefined && !/^\d{1,15}$/.test(contentLength)) {
    return bad("content-length is not a number");
  }
  const expect = headers.get("expect")?.toLowerCase();
  if (expect !== undefined && expect !== "100-continue") {
    return { status: 417, why: "of expectations only 100-continue is met" };
  }
  const wishes =
    headers
      .get("connection")
      ?.toLowerCase()
      .split(/[ \t]*,[ \t]*/) ?? [];
  const isKeptAlive = !wishes.includes("close") && (!isHttp10 || wishes.includes("keep-alive"));
  return {
    ...plain,
    isKeptAlive,
    expectsContinue: expect !== undefined && !isHttp10,
    length: coding === undefined ? Number(contentLength ?? 0) : undefined,
  };
}
