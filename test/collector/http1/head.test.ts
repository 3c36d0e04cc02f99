import { describe, expect, test } from "vitest";
import {
  damaged,
  endOfHead,
  type Head,
  incomplete,
  type Malformed,
  parseHead,
} from "../../../collector/http1/head.ts";
import { KnownHead } from "../../../collector/http1/known-head.ts";

const parse = (...lines: string[]): Head | Malformed => parseHead(`${lines.join("\r\n")}\r\n\r\n`);

function headOf(...lines: string[]): Head {
  const head = parse(...lines);
  if ("why" in head) throw new Error(head.why);
  return head;
}

const post = "POST /v1/traces HTTP/1.1";

describe("what a head says", () => {
  test("method, path, headers and length", () => {
    const head = headOf(
      "POST /v1/traces?x=/y HTTP/1.1",
      "Host: h",
      "Content-Length:\t 12 ",
      "X-A: 1",
      "x-a: 2",
    );
    expect(head).toMatchObject({ method: "POST", path: "/v1/traces", length: 12 });
    expect(head.headers.get("x-a")).toBe("1, 2");
    expect(head).toMatchObject({ isKeptAlive: true, isHttp10: false, expectsContinue: false });
  });

  test.each([
    ["/", "/"],
    ["/a%2Fb?c", "/a%2Fb"],
    ["http://h:1/v1/logs?x", "/v1/logs"],
    ["HTTPS://h", "/"],
    ["*", "*"],
  ])("the target %s is the path %s", (target, path) => {
    expect(headOf(`GET ${target} HTTP/1.1`, "Host: h").path).toBe(path);
  });

  test.each([
    ["HTTP/1.1", undefined, true],
    ["HTTP/1.1", "close", false],
    ["HTTP/1.1", "foo , CLOSE", false],
    ["HTTP/1.1", "upgrade", true],
    ["HTTP/1.0", undefined, false],
    ["HTTP/1.0", "Keep-Alive", true],
    ["HTTP/1.0", "keep-alive, close", false],
  ])("%s with connection: %s is kept: %s", (version, connection, isKeptAlive) => {
    const lines = connection === undefined ? [] : [`Connection: ${connection}`];
    expect(headOf(`POST / ${version}`, "Host: h", ...lines).isKeptAlive).toBe(isKeptAlive);
  });

  test("a name such as __proto__ is a header like any other", () => {
    expect(headOf(post, "Host: h", "__proto__: x").headers.get("__proto__")).toBe("x");
  });
});

describe("heads that two readers could understand differently are refused", () => {
  test.each([
    ["both lengths", ["Content-Length: 3", "Transfer-Encoding: chunked"]],
    ["two lengths that differ", ["Content-Length: 3", "Content-Length: 4"]],
    ["two lengths that agree", ["Content-Length: 3", "Content-Length: 3"]],
    ["a list of lengths", ["Content-Length: 3, 3"]],
    ["a signed length", ["Content-Length: +3"]],
    ["a negative length", ["Content-Length: -3"]],
    ["a length in hex", ["Content-Length: 0x3"]],
    ["a length that is empty", ["Content-Length:"]],
    ["a length with a space in it", ["Content-Length: 3 4"]],
    ["a length above what can be counted", [`Content-Length: ${"9".repeat(16)}`]],
    ["a space before the colon", ["Content-Length : 3"]],
    ["a folded header", ["X: a", " Content-Length: 3"]],
    ["a header folded by a tab", ["X: a", "\tb"]],
    ["a header without a colon", ["Content-Length 3"]],
    ["a header without a name", [": 3"]],
    ["a space in a name", ["Content Length: 3"]],
    ["a name that is not ASCII", ["Content-Length\u00a0: 3"]],
    ["two codings", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]],
    ["a second host", ["Host: other"]],
    ["two tokens", ["Authorization: Bearer a", "Authorization: Bearer b"]],
  ])("%s", (_, lines) => {
    expect(parse(post, "Host: h", ...lines)).toMatchObject({ status: 400 });
  });

  test.each(["gzip, chunked", "chunked, gzip", "identity", "xchunked", "chunked,", '"chunked"'])(
    "transfer-encoding: %s is not taken",
    (coding) => {
      expect(parse(post, "Host: h", `Transfer-Encoding: ${coding}`)).toMatchObject({ status: 501 });
    },
  );

  test("chunks in HTTP/1.0, and HTTP/1.1 without a host", () => {
    const chunked = parse("POST / HTTP/1.0", "Transfer-Encoding: chunked");
    expect(chunked).toMatchObject({ status: 400 });
    expect(parse(post)).toMatchObject({ status: 400 });
    expect(parse("POST / HTTP/1.0")).toMatchObject({ length: 0 });
  });

  test.each([
    "POST  / HTTP/1.1",
    "POST / HTTP/1.1 ",
    " POST / HTTP/1.1",
    "POST / http/1.1",
    "POST /\u00e9 HTTP/1.1",
    "POST / HTTP/1.10",
    "POST /a b HTTP/1.1",
    "POST /#a HTTP/1.1",
    "POST a HTTP/1.1",
    "CONNECT h:1 HTTP/1.1",
    "PO(ST / HTTP/1.1",
    "POST /",
    "",
  ])("the request line %j", (line) => {
    expect(parse(line, "Host: h")).toMatchObject({ status: 400 });
  });

  test.each(["HTTP/2.0", "HTTP/0.9", "HTTP/1.2"])("%s is another protocol", (version) => {
    expect(parse(`PRI * ${version}`, "Host: h")).toMatchObject({ status: 505 });
  });

  test("an expectation that cannot be met", () => {
    expect(parse(post, "Host: h", "Expect: a-miracle")).toMatchObject({ status: 417 });
  });

  test("100 headers are taken, 101 are not", () => {
    const headers = Array.from({ length: 99 }, (_, index) => `x-${index}: y`);
    expect(parse(post, "Host: h", ...headers)).toMatchObject({ length: 0 });
    expect(parse(post, "Host: h", ...headers, "z: y")).toMatchObject({ status: 431 });
  });
});

describe("where a head ends", () => {
  const end = (text: string): number => endOfHead(Buffer.from(text, "latin1"), 0);

  test("behind the empty line, however much is there of it already", () => {
    const text = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
    expect(end(`${text}body\u0000`)).toBe(text.length);
    for (let length = 0; length < text.length; length++) {
      expect(end(text.slice(0, length))).toBe(incomplete);
      const from = Math.max(0, length - 1);
      expect(endOfHead(Buffer.from(text), 0, from)).toBe(text.length);
    }
  });

  test.each([
    "GET / HTTP/1.1\n\n",
    "GET / HTTP/1.1\r\nhost: h\n\r\n",
    "GET / HTTP/1.1\rhost: h",
    "GET / HTTP/1.1\r\nhost: h\r\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: \u0000",
    "GET / HTTP/1.1\r\nhost: \u007f",
    "GET / HTTP/1.1\r\nhost: \u000b",
    "\n",
    "\u0016\u0003\u0001",
  ])("%j is no head", (text) => {
    expect(end(text)).toBe(damaged);
  });
});

describe("a head that is known", () => {
  const text = "POST /v1/traces HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nX: y\r\n\r\n";
  const bytes = Buffer.from(text);
  const known = KnownHead.of(headOf(post, "Host: h", "Content-Length: 12", "X: y"), bytes, text)!;
  const find = (changed: string): [end: number, length: number] => {
    const chunk = Buffer.from(`??${changed}the body`);
    return [known.find(chunk, 2) - 2, known.length];
  };

  test("is found again, also with another length", () => {
    expect(find(text)).toEqual([text.length, 12]);
    expect(find(text.replace("12", "3"))).toEqual([text.length - 1, 3]);
    expect(find(text.replace("12", "1234567"))).toEqual([text.length + 5, 1_234_567]);
    const longest = "9".repeat(15);
    expect(find(text.replace("12", longest))).toEqual([text.length + 13, Number(longest)]);
  });

  test.each([
    ["another path", text.replace("traces", "traced")],
    ["another end", text.replace("X: y", "X: z")],
    ["a letter in the length", text.replace("12", "1a")],
    ["no length", text.replace("12", "")],
    ["a length too long to be counted", text.replace("12", "9".repeat(16))],
    ["a head that is not whole", text.slice(0, -1)],
    ["the beginning of it", text.slice(0, 20)],
  ])("is not taken for %s", (_, other) => {
    expect(known.find(Buffer.from(other), 0)).toBe(0);
  });

  test("is not remembered when it is very long or the last of its connection", () => {
    const long = text.replace("X: y", `X: ${"y".repeat(2048)}`);
    const head = headOf(post, "Host: h", "Content-Length: 12");
    expect(KnownHead.of(head, Buffer.from(long), long)).toBeUndefined();
    const last = headOf(post, "Host: h", "Content-Length: 12", "Connection: close");
    expect(KnownHead.of(last, bytes, text)).toBeUndefined();
  });
});
