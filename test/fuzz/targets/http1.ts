// HTTP/1.1: heads one behind the other, as a connection reads them, and the chunks of a body.

import { deepStrictEqual } from "node:assert";
import { Chunks } from "../../../collector/http1/chunks.ts";
import {
  damaged,
  endOfHead,
  type Head,
  incomplete,
  parseHead,
} from "../../../collector/http1/head.ts";
import { KnownHead } from "../../../collector/http1/known-head.ts";
import { demand, type Target } from "../target.ts";

export const targets: readonly Target[] = [
  {
    name: "http1-head",
    covers: ["collector/http1/head.ts", "collector/http1/known-head.ts"],
    seeds: () => heads.map((text) => Buffer.from(text, "latin1")),
    words: ["\r\n", "\r\n\r\n", ": ", " HTTP/1.1\r\n", "Host: h\r\n", "http://", "\t", "chunked"],
    run: readHeads,
  },
  {
    name: "http1-chunks",
    covers: ["collector/http1/chunks.ts"],
    seeds: () => bodies.map((text) => Buffer.from(text, "latin1")),
    words: ["\r\n", "0\r\n\r\n", "1\r\na\r\n", ";a=b", '"', "Content-Length:", "ffffffff"],
    run: readChunks,
  },
];

// ── heads ────────────────────────────────────────────────────────────────────────────────────────

const post = (length: string, more = ""): string =>
  `POST /v1/traces?a HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n${more}\r\n`;

const heads = [
  post("5") + post("5") + post("123456789012345"),
  post("7", "Connection: close\r\n"),
  post("00", "X-A: \xe9\r\nX-A: b\r\nExpect: 100-continue\r\n").repeat(2),
  "GET http://h:4318/a HTTP/1.0\r\nconnection: keep-alive\r\ncontent-length:0 \t\r\n\r\n".repeat(2),
  "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nHost: h\r\nOrigin: null\r\n\r\n",
];

function readHeads(input: Uint8Array): boolean {
  const bytes = Buffer.from(input);
  let known: KnownHead | undefined;
  let start = 0;
  for (;;) {
    const end = endOfHead(bytes, start);
    demand(end === plainEnd(bytes, start), () => `the head at ${start} ends at ${end}`);
    checkCuts(bytes, start, end);
    const text = bytes.toString("latin1", start, Math.max(start, end));
    const head = end > 0 ? parseHead(text) : undefined;
    const found = known?.find(bytes, start) ?? 0;
    if (known && found > 0) checkKnown(known, { found, end, head });
    if (!head) return start > 0 && start === bytes.length;
    if ("status" in head) {
      demand(statuses.has(head.status) && isShort(head.why), () => JSON.stringify(head));
      return false;
    }
    checkAgain(head);
    known = KnownHead.of(head, bytes.subarray(start, end), text);
    const isFound = known === undefined || known.find(bytes, start) === end;
    demand(isFound, () => "a known head does not know itself");
    start = end;
  }
}

const statuses = new Set([400, 417, 431, 501, 505]);
const isShort = (why: string): boolean => why.length > 0 && why.length <= 100;

/** The same by a search for the empty line, and a look at what stands before it. */
function plainEnd(bytes: Buffer, start: number): number {
  const text = bytes.toString("latin1", start);
  const emptyLine = text.indexOf("\n\r\n");
  const before = emptyLine < 0 ? text.replace(/\r$/, "") : text.slice(0, emptyLine + 3);
  // eslint-disable-next-line no-control-regex -- control characters are what this is about
  if (/[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n)|(?<!\r)\n/.test(before)) return damaged;
  return emptyLine < 0 ? incomplete : start + emptyLine + 3;
}

/** What came in two pieces is gone on with where the first one ended, as connections do. */
function checkCuts(bytes: Buffer, start: number, end: number): void {
  const step = 1 + ((bytes.length - start) >> 3);
  for (let cut = start + 1; cut < bytes.length; cut += step) {
    const first = endOfHead(bytes.subarray(0, cut), start);
    const both = first === incomplete ? endOfHead(bytes, start, cut - 1) : first;
    demand(both === end, () => `cut at ${cut} the head ends at ${both}, not ${end}`);
  }
}

function checkAgain(head: Head): void {
  const { method, path, isHttp10, headers } = head;
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  const version = isHttp10 ? "1.0" : "1.1";
  const text = `${method} ${path} HTTP/${version}\r\n${lines.join("")}\r\n`;
  demand(endOfHead(Buffer.from(text, "latin1"), 0) === text.length, () => "written, it has no end");
  // Of values that are joined, an empty last one leaves a space.
  const trimmed = new Map([...headers].map(([name, value]) => [name, value.replace(/ $/, "")]));
  deepStrictEqual(parseHead(text), { ...head, headers: trimmed });
  demand(head.length === undefined || Number.isSafeInteger(head.length), () => `${head.length}`);
}

interface Parsed {
  readonly found: number;
  readonly end: number;
  readonly head: ReturnType<typeof parseHead> | undefined;
}

function checkKnown(known: KnownHead, { found, end, head }: Parsed): void {
  demand(head !== undefined && found === end, () => `a known head to ${found}, parsed to ${end}`);
  const headers = new Map(known.head.headers);
  const parsed = "status" in head ? undefined : head.headers.get("content-length");
  headers.set("content-length", parsed ?? "");
  deepStrictEqual(head, { ...known.head, length: known.length, headers });
}

// ── chunks ───────────────────────────────────────────────────────────────────────────────────────

const bodies = [
  "0\r\n\r\n",
  "5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n",
  '3;a;b="c"\r\nabc\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n00\r\nTrailer: t\r\nOther:\r\n\r\n',
  "00000002\r\n\r\n\r\n0;x\r\n\r\n",
  "0\r\nContent-Length: 1\r\nTransfer-Encoding:chunked\r\n\r\n",
  "0\r\nA: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
];

interface Unchunked {
  readonly end: number;
  readonly body: string;
}

function readChunks(input: Uint8Array): boolean {
  const bytes = Buffer.from(input);
  const whole = unchunk(bytes, { step: bytes.length, isWanted: true });
  for (const step of [1, 3, 7]) {
    deepStrictEqual(unchunk(bytes, { step, isWanted: step !== 3 }), whole);
  }
  deepStrictEqual(unchunk(bytes, { step: bytes.length, isWanted: false }), whole);
  deepStrictEqual(whole, plainBody(bytes.toString("latin1")));
  return whole !== undefined;
}

interface Pieces {
  readonly step: number;
  /** Otherwise each piece is said to be the last that is wanted for now. */
  readonly isWanted: boolean;
}

/** Undefined for what is damaged, and for what has not ended. */
function unchunk(bytes: Buffer, { step, isWanted }: Pieces): Unchunked | undefined {
  const chunks = new Chunks();
  let body = "";
  const take = (piece: Buffer): boolean => {
    body += piece.toString("latin1");
    return isWanted;
  };
  let at = 0;
  for (let end = step; at < bytes.length && !chunks.isDone; end += step) {
    const piece = bytes.subarray(0, end);
    while (at < piece.length && !chunks.isDone) {
      const next = chunks.read(piece, at, take);
      if (next < 0) return undefined;
      demand(next > at && next <= piece.length, () => `from ${at} to ${next}`);
      at = next;
    }
  }
  return chunks.isDone ? { end: at, body } : undefined;
}

const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]";
const sizeLine = new RegExp(`([0-9A-Fa-f]{1,8})(?:;${token}(?:${token}|[="])*)*\r\n`, "y");
const trailer = new RegExp(`(${token}+):[\\t\\x20-\\x7e\\x80-\\xff]*\r\n`, "y");
const longestLine = 4096;

/** The same, line by line. */
function plainBody(text: string): Unchunked | undefined {
  let at = 0;
  let body = "";
  for (;;) {
    const line = matchAt(sizeLine, text, at);
    if (!line || line[0].length - 2 > longestLine) return undefined;
    at += line[0].length;
    const size = Number.parseInt(line[1] ?? "", 16);
    if (size === 0) break;
    if (text.slice(at + size, at + size + 2) !== "\r\n") return undefined;
    body += text.slice(at, at + size);
    at += size + 2;
  }
  for (let left = longestLine; ;) {
    if (text.startsWith("\r\n", at)) return { end: at + 2, body };
    const line = matchAt(trailer, text, at);
    if (!line || (left -= line[0].length - 2) < 0) return undefined;
    if (/^(content-length|transfer-encoding)$/i.test(line[1] ?? "")) return undefined;
    at += line[0].length;
  }
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
