import { afterEach, describe, expect, test } from "vitest";
import type { Limits } from "../../../collector/http1/limits.ts";
import type { Http1Server } from "../../../collector/http1/server.ts";
import { RawClient } from "../../support/raw-http.ts";
import { until } from "../../support/until.ts";
import { type Echo, startEcho } from "./echo.ts";

let echo: Echo;
let server: Http1Server;

async function start(limits: Partial<Limits> = {}): Promise<void> {
  [echo, server] = await startEcho(limits);
}

const client = (): Promise<RawClient> => RawClient.connect(server.port);
const stop = (): Promise<void> => server.stop(AbortSignal.abort());

afterEach(async () => {
  await stop();
  expect(echo.heldBytes).toBe(0);
  await until("no connection is left", () => server.connections === 0);
});

function post(body: string, headers = "", version = "1.1"): string {
  const head = `POST /a HTTP/${version}\r\nHost: h\r\n${headers}Content-Length: ${body.length}`;
  return `${head}\r\n\r\n${body}`;
}

describe("a connection", () => {
  test("is kept, and answers in the order of the requests", async () => {
    await start();
    const one = await client();
    one.send(post("1") + post("22") + post("333", "X: y\r\n"));
    await one.answer(3);
    expect(one.answers.map(({ body }) => body)).toEqual(["1", "2", "3"]);
    expect(one.answers[0]?.headers).toMatchObject({ "content-length": "1" });
    expect(Date.parse(one.answers[0]?.headers["date"] ?? "")).toBeGreaterThan(0);
    expect(one.answers[0]?.headers).not.toHaveProperty("connection");
    one.send(post("4444"));
    expect((await one.answer(4)).body).toBe("4");
  });

  test("is closed after the answer when the client says so", async () => {
    await start();
    const one = await client();
    one.send(post("1", "Connection: close\r\n") + post("never read"));
    expect((await one.answer()).headers["connection"]).toBe("close");
    await one.closed();
    expect(echo.asked).toHaveLength(1);
  });

  test("of HTTP/1.0 is closed unless the client asks otherwise", async () => {
    await start();
    const one = await client();
    one.send(post("1", "Connection: keep-alive\r\n", "1.0"));
    expect((await one.answer()).headers["connection"]).toBe("keep-alive");
    one.send(post("2", "", "1.0"));
    expect((await one.answer(2)).headers["connection"]).toBe("close");
    await one.closed();
  });

  test("whose client sends no more gets the answers that are due", async () => {
    await start();
    const one = await client();
    let open = (): void => {};
    echo.gate = new Promise((resolve) => (open = resolve));
    one.socket.end(post("1") + post("2"));
    await echo.askedFor(2);
    open();
    await one.closed();
    expect(one.answers.map(({ status }) => status)).toEqual([200, 200]);
  });

  test("that ends within a body is told so, after what is due before it", async () => {
    await start();
    const one = await client();
    one.socket.end(post("1") + post("22").slice(0, -1));
    await one.closed();
    expect(one.answers.map(({ status }) => status)).toEqual([200, 400]);
    expect([echo.asked.length, echo.abandoned]).toEqual([1, 1]);
  });

  test("to HEAD answers without a body", async () => {
    await start();
    const one = await client();
    one.send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
    await until("the answer", () => one.text.endsWith("\r\n\r\n"));
    expect(one.text).toContain("content-length: 1\r\n");
  });

  test("may be one of those that send an empty line behind a body", async () => {
    await start();
    const one = await client();
    one.send(`${post("1")}\r\n`);
    await one.answer();
    one.send(`\r\n\r\n${post("2")}`);
    expect((await one.answer(2)).status).toBe(200);
  });

  test("that wants another protocol goes on in this one", async () => {
    await start();
    const one = await client();
    one.send(post("1", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"));
    expect((await one.answer()).status).toBe(200);
  });
});

describe("a body", () => {
  test("of many pieces is put together, with a length and in chunks", async () => {
    await start();
    const large = "0123456789".repeat(200_000);
    const one = await client();
    one.send(post(large));
    const chunk = `${(large.length / 2).toString(16).toUpperCase()}\r\n`;
    const [first, second] = [large.slice(0, large.length / 2), large.slice(large.length / 2)];
    const head = "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n";
    one.send(`${head}${chunk}${first}\r\n${chunk}${second}\r\n0\r\n\r\n`);
    await one.answer(2);
    expect(echo.asked.every(({ body }) => body === large)).toBe(true);
  });

  test("is asked for when the client waits for that", async () => {
    await start();
    const one = await client();
    one.send(post("12345", "Expect: 100-continue\r\n").slice(0, -5));
    await until("the invitation", () => one.text === "HTTP/1.1 100 Continue\r\n\r\n");
    one.send("12345");
    expect((await one.answer()).status).toBe(200);
  });

  test("is not asked for when the request is refused, and the connection ends there", async () => {
    await start();
    const one = await client();
    one.send(post("12345", "Expect: 100-continue\r\n").replace("/a", "/refused").slice(0, -5));
    expect(await one.answer()).toMatchObject({ status: 404, headers: { connection: "close" } });
    await one.closed();
    expect(one.text).not.toContain("100 Continue");
  });

  test("is asked for in its turn only", async () => {
    await start();
    const one = await client();
    let open = (): void => {};
    echo.gate = new Promise((resolve) => (open = resolve));
    one.send(post("1") + post("12345", "Expect: 100-continue\r\n").slice(0, -5));
    await echo.askedFor(1);
    open();
    await until("the invitation", () => one.text.includes("100 Continue"));
    expect(one.text.startsWith("HTTP/1.1 200 OK")).toBe(true);
    one.send("12345");
    await one.answer(2);
  });

  test("that is refused is read over when it is short, and the connection goes on", async () => {
    await start();
    const one = await client();
    const body = "x".repeat(65_536);
    one.send(post(body).replace("/a", "/refused") + post("1"));
    await one.answer(2);
    expect(one.answers.map(({ status }) => status)).toEqual([404, 200]);
  });

  test("that is refused and long ends the connection, and the client can read why", async () => {
    await start();
    const one = await client();
    const body = "x".repeat(65_537);
    one.send(post(body).replace("/a", "/refused") + post("1"));
    expect((await one.answer()).headers["connection"]).toBe("close");
    await one.closed();
    expect([one.answers.length, echo.asked.length]).toEqual([1, 0]);
  });

  test("that is refused while it comes is answered, however it comes", async () => {
    await start();
    echo.maxBytes = 100_000;
    for (const framing of ["Content-Length: 4000000", "Transfer-Encoding: chunked"]) {
      const one = await client();
      const chunk = framing.startsWith("T") ? "3d0900\r\n" : "";
      one.send(`POST /a HTTP/1.1\r\nHost: h\r\n${framing}\r\n\r\n${chunk}${"x".repeat(4_000_000)}`);
      expect((await one.answer()).status).toBe(413);
      await one.closed();
    }
    expect(echo.abandoned).toBe(0);
  });

  test.each([
    ["no size", "\r\n"],
    ["a size that is none", "g\r\n"],
    ["a negative size", "-1\r\n"],
    ["a size in the wrong base", "0x5\r\nhello\r\n"],
    ["a size of nine digits", "000000005\r\nhello\r\n"],
    ["a space before the size", " 5\r\nhello\r\n"],
    ["a space behind the size", "5 \r\nhello\r\n"],
    ["a bare line feed behind the size", "5\nhello\r\n"],
    ["a bare line feed behind the data", "5\r\nhello\n0\r\n\r\n"],
    ["more data than was said", "5\r\nhello!\r\n"],
    ["an extension of 4 KiB", `5;${"x".repeat(4096)}\r\nhello\r\n`],
    ["an extension without a name", "5;\r\nhello\r\n"],
    ["an extension with a control character", "5;\u0001\r\nhello\r\n"],
    ["a trailer without a colon", "0\r\ntrailer\r\n\r\n"],
    ["a trailer that says another length", "0\r\nContent-Length: 3\r\n\r\n"],
    ["trailers of 4 KiB", `0\r\n${"t: x\r\n".repeat(1100)}\r\n`],
    ["a bare line feed behind a trailer", "0\r\nt: x\n\r\n"],
  ])("in chunks with %s is refused", async (_, chunks) => {
    await start();
    const one = await client();
    one.send(`POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`);
    expect(await one.answer()).toMatchObject({ status: 400, headers: { connection: "close" } });
    await one.closed();
    expect([echo.asked.length, echo.abandoned]).toEqual([0, 1]);
  });
});

describe("what is not HTTP", () => {
  test.each([
    ["a TLS handshake", "\u0016\u0003\u0001\u0002\u0000\u0001"],
    ["a bare line feed", "GET / HTTP/1.1\nHost: h\n\n"],
    ["a space before a colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n"],
    ["two lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"],
  ])("%s: refused at once, and what comes behind it is not read", async (_, bytes) => {
    await start();
    const one = await client();
    one.send(Buffer.from(bytes + post("1"), "latin1"));
    expect((await one.answer()).status).toBe(400);
    await one.closed();
    expect(echo.asked).toEqual([]);
  });

  test("HTTP/2 without asking is told what is spoken here", async () => {
    await start();
    const one = await client();
    one.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    expect((await one.answer()).status).toBe(505);
  });

  test("the requests before it are answered first", async () => {
    await start();
    const one = await client();
    one.send(`${post("1")}garbage\r\n\r\n`);
    await one.closed();
    expect(one.answers.map(({ status }) => status)).toEqual([200, 400]);
  });

  test("a head may have 16 KiB and not a byte more", async () => {
    await start();
    const headOf = (bytes: number): string => {
      const head = "GET /a HTTP/1.1\r\nHost: h\r\nX: \r\n\r\n";
      return head.replace("X: ", `X: ${"x".repeat(bytes - head.length)}`);
    };
    const one = await client();
    one.send(headOf(16_384));
    expect((await one.answer()).status).toBe(200);
    one.send(headOf(16_385));
    expect((await one.answer(2)).status).toBe(431);
    const other = await client();
    other.send(headOf(20_000).slice(0, -10)); // and goes on for ever
    expect((await other.answer()).status).toBe(431);
    await other.closed();
  });
});

describe("slow clients", () => {
  const fast = { tickMs: 20, lingerMs: 100 };

  test("that say nothing, or not all of a head, are cut off", async () => {
    await start({ ...fast, headMs: 150 });
    const [silent, slow] = [await client(), await client()];
    slow.send("POST /a HT");
    const timer = setInterval(() => slow.send("x"), 30);
    await Promise.all([silent.closed(), slow.closed()]);
    clearInterval(timer);
    expect(silent.text).toBe("");
    expect(slow.answers.map(({ status }) => status)).toEqual([408]);
  });

  test("that do not finish a request in its time are cut off, however steadily they send", async () => {
    await start({ ...fast, requestMs: 300, minPaceBytes: 0 });
    const one = await client();
    one.send(post("x".repeat(1000)).slice(0, -900));
    const timer = setInterval(() => one.send("x"), 20);
    expect((await one.answer()).status).toBe(408);
    await one.closed();
    clearInterval(timer);
    expect(echo.abandoned).toBe(1);
  });

  test("that send less than the least pace are cut off, others are not", async () => {
    await start({ ...fast, paceMs: 100, minPaceBytes: 100 });
    const [slow, steady] = [await client(), await client()];
    for (const one of [slow, steady]) one.send(post("x".repeat(10_000)).slice(0, -10_000));
    let sent = 0;
    const timer = setInterval(() => {
      slow.send("x");
      if (sent < 10_000) steady.send("x".repeat(500));
      sent += 500;
    }, 20);
    expect((await slow.answer()).status).toBe(408);
    expect((await steady.answer()).status).toBe(200);
    clearInterval(timer);
  });

  test("that are between requests are closed after a while, without a word", async () => {
    await start({ ...fast, idleMs: 150, headMs: 10_000 });
    const one = await client();
    one.send(post("1"));
    await one.answer();
    await one.closed();
    expect(one.answers).toHaveLength(1);
  });

  test("that do not read their answers are not read from, and cut off in the end", async () => {
    await start({ ...fast, stallMs: 300, maxUnsentBytes: 1024 });
    const one = await client();
    one.socket.pause();
    const many = Buffer.from(post("x".repeat(10)).repeat(1000));
    const flood = (): void => {
      while (!one.isClosed && one.socket.write(many));
    };
    one.socket.on("drain", flood);
    flood();
    await until("it is cut off", () => server.connections === 0);
    one.socket.destroy();
  });
});

describe("many", () => {
  test("requests of one connection wait their turn when many are due", async () => {
    await start({ maxPipelined: 4 });
    let open = (): void => {};
    echo.gate = new Promise((resolve) => (open = resolve));
    const one = await client();
    one.send(post("1").repeat(100));
    await echo.askedFor(4);
    await new Promise((resolve) => setImmediate(resolve));
    expect(echo.asked).toHaveLength(4);
    echo.gate = undefined;
    open();
    await one.answer(100);
    expect(echo.asked).toHaveLength(100);
  });

  test("clients with incomplete requests share what memory there is for them", async () => {
    await start({ maxUnreadBytes: 10_000 });
    const clients = await Promise.all(Array.from({ length: 12 }, client));
    for (const one of clients) one.send(`POST /a HTTP/1.1\r\nx: ${"x".repeat(1000)}`);
    await until("two are refused", () => clients.filter(({ isClosed }) => isClosed).length >= 2);
    const refused = clients.filter(({ answers }) => answers.length > 0);
    expect(refused.map(({ answers }) => answers[0]?.status)).toEqual(refused.map(() => 503));
    const other = clients.find(({ isClosed }) => !isClosed);
    other?.send("\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    expect((await other?.answer())?.status).toBe(200);
  });

  test("connections beyond the limit are refused while all the others are busy", async () => {
    await start({ maxConnections: 2 });
    let open = (): void => {};
    echo.gate = new Promise((resolve) => (open = resolve));
    const busy = [await client(), await client()];
    for (const one of busy) one.send(post("1"));
    await echo.askedFor(2);
    const third = await client();
    expect((await third.answer()).status).toBe(503);
    await third.closed();
    open();
    for (const one of busy) expect((await one.answer()).status).toBe(200);
  });

  test("connections take the place of the one that has idled longest", async () => {
    await start({ maxConnections: 2, tickMs: 20 });
    const [first, second] = [await client(), await client()];
    for (const one of [first, second]) {
      one.send(post("1"));
      await one.answer();
      await new Promise((resolve) => setTimeout(resolve, 60)); // one idles longer than the other
    }
    await until("they have idled for a while", async () => {
      const third = await client();
      third.send(post("1"));
      return (await third.answer()).status === 200;
    });
    await first.closed();
    expect(second.isClosed).toBe(false);
    expect(server.connections).toBe(2);
  });
});

describe("stopping", () => {
  test("answers what is under way, says goodbye, and closes what idles at once", async () => {
    await start();
    let open = (): void => {};
    echo.gate = new Promise((resolve) => (open = resolve));
    const [idle, busy, half] = [await client(), await client(), await client()];
    busy.send(post("1"));
    half.send(post("22").slice(0, -1));
    await echo.askedFor(1);
    await until("the half body has come", () => echo.heldBytes === 2);
    const stopped = server.stop(AbortSignal.timeout(10_000));
    await idle.closed();
    half.send("2");
    await echo.askedFor(2);
    open();
    await stopped;
    for (const one of [busy, half]) {
      expect(await one.answer()).toMatchObject({ status: 200, headers: { connection: "close" } });
    }
  });

  test("does not wait beyond the deadline", async () => {
    await start();
    echo.gate = new Promise(() => {});
    const one = await client();
    one.send(post("1"));
    await echo.askedFor(1);
    await server.stop(AbortSignal.timeout(50));
    await one.closed();
    echo.heldBytes = 0; // what the application holds is released when its answer comes
  });
});
