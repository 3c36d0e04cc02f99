import { expect, test } from "vitest";
import { AnswerError, HttpAnswerReader } from "../../../collector/wire/http-answer.ts";

const mostKept = 200;

function read(answer: string, size = answer.length): HttpAnswerReader {
  const reader = new HttpAnswerReader(mostKept);
  const bytes = Buffer.from(answer, "latin1");
  for (let at = 0; at < bytes.length; at += size) reader.take(bytes.subarray(at, at + size));
  return reader;
}

const head = "HTTP/1.1 200 OK\r\n";
const answers: Readonly<Record<string, string>> = {
  "with a length": `${head}content-length: 5\r\n\r\nhello`,
  "in chunks": `${head}Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nsum: 1\r\n\r\n`,
  "behind interim ones": `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n${head}content-length: 5\r\n\r\nhello`,
};

for (const [name, answer] of Object.entries(answers)) {
  test(`an answer ${name} is read, in whatever pieces it comes`, () => {
    for (let size = 1; size <= answer.length; size++) {
      const { status, message, body, isDone, isKept } = read(answer, size);
      expect({ status, message, text: String(body), isDone, isKept }).toEqual({
        status: 200,
        message: "OK",
        text: "hello",
        isDone: true,
        isKept: true,
      });
      expect(read(answer.slice(0, -1), size).isDone).toBe(false);
    }
  });
}

test("without a length the answer lasts until the connection is closed", () => {
  const reader = read(`${head}\r\nhel`);
  expect([reader.isDone, reader.isKept]).toEqual([false, false]);
  reader.take(Buffer.from("lo"));
  expect(reader.end()).toBe(true);
  expect(String(reader.body)).toBe("hello");
  expect(read(`${head}content-length: 5\r\n\r\nhell`).end()).toBe(false);
});

test("204 and a length of 0 have no body", () => {
  expect(read("HTTP/1.1 204\r\n\r\n")).toMatchObject({ status: 204, message: "", isDone: true });
  expect(read(`${head}content-length: 0\r\n\r\n`).isDone).toBe(true);
});

test("the connection is kept unless the server says otherwise, or more comes than was asked for", () => {
  const empty = "content-length: 0\r\n";
  expect(read(`${head}${empty}\r\n`).isKept).toBe(true);
  expect(read(`${head}${empty}connection: Close\r\n\r\n`).isKept).toBe(false);
  expect(read(`HTTP/1.0 200 OK\r\n${empty}\r\n`).isKept).toBe(false);
  expect(read(`${head}${empty}\r\nH`).isKept).toBe(false);
  expect(read(`${head}${empty}keep-alive: timeout=5\r\n\r\n`).keptMs).toBe(5000);
});

test("of a long body the beginning is kept", () => {
  const reader = read(`${head}content-length: 100000\r\n\r\n${"x".repeat(100_000)}`, 1000);
  expect([reader.isDone, String(reader.body)]).toEqual([true, "x".repeat(mostKept)]);
  expect([reader.isCut, read(`${head}content-length: 2\r\n\r\nhi`).isCut]).toEqual([true, false]);
});

test("what is no answer of HTTP/1.1 is an error that says so", () => {
  const long = "x".repeat(20_000);
  for (const [answer, why] of [
    ["SSH-2.0-OpenSSH_9.9\r\n", /HTTP\/1\.1/],
    ["HTTP/2 200 OK\r\n\r\n", /HTTP\/1\.1/],
    ["HTTP/1.1 101 Switching Protocols\r\n\r\n", /another protocol/],
    [`${head}content-length: 5, 6\r\n\r\n`, /no length/],
    [`${head}content-length: -1\r\n\r\n`, /no length/],
    [`${head}no header\r\n\r\n`, /no header/],
    [`${head}transfer-encoding: chunked\r\n\r\nxyz\r\n`, /without a size/],
    [`${head}transfer-encoding: chunked\r\n\r\n${long}`, /too long a line/],
    [`${head}x: ${long}`, /too long a head/],
  ] as const) {
    expect(() => read(answer, 1000)).toThrow(why);
  }
});

test("whatever comes, it is read to its end or refused with an error", () => {
  const parts = [head, "\r\n", "content-length: 3\r\n", "transfer-encoding: chunked\r\n", "a\r\n"];
  parts.push("\0", "ffffffffffff\r\n", ": ", "HTTP/1.1 100 \r\n\r\n", "0\r\n\r\n", "é", "xyz");
  for (let round = 0; round < 20_000; round++) {
    const picked = Array.from(
      { length: 12 },
      () => parts[Math.floor(Math.random() * parts.length)],
    );
    try {
      const reader = read(picked.join(""), 1 + Math.floor(Math.random() * 20));
      expect(reader.body.length).toBeLessThanOrEqual(mostKept);
    } catch (error) {
      expect(error, picked.join("")).toBeInstanceOf(AnswerError);
      expect((error as Error).message, picked.join("")).toMatch(/^its? /);
    }
  }
});
