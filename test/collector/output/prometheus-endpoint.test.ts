// The listener behind the Prometheus output, over real sockets.

import { once } from "node:events";
import { type IncomingMessage, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, it } from "vitest";
import { settings } from "../../../collector/output/prometheus/settings.ts";
import { open } from "../../../collector/output/prometheus/prometheus.ts";
import type { Output } from "../../../collector/output/output.ts";
import { formatFor, plainText } from "../../../collector/output/prometheus/negotiate.ts";
import { Incidents } from "../../../collector/telemetry/incidents.ts";
import { sampleBatch } from "../../support/otlp.ts";
import { accept as protobuf } from "../../support/prometheus-protobuf.ts";
import { parseScrape } from "../../support/prometheus-text.ts";
import { until } from "../../support/until.ts";

const opened: Output[] = [];

afterEach(async () => {
  for (const output of opened.splice(0)) await output.close();
});

async function listening(port: number | "off" = 0): Promise<{ output: Output; url: string }> {
  let url = "";
  const output = await open(settings.parse({ port }), {
    name: "prometheus",
    logId: "log",
    incidents: new Incidents(),
    host: "127.0.0.1",
    ready: (what, where) => (url = `${what} ${where}`),
  });
  opened.push(output);
  return { output, url: url.replace("Prometheus metrics ", "") };
}

async function deliver(output: Output, items = 12): Promise<void> {
  const entries = [{ position: 0, atMs: 0, batch: sampleBatch("metrics", { items }) }];
  const delivery = { signal: "metrics", entries, items, bytes: 1000 } as const;
  expect(await output.deliver(delivery, new AbortController().signal)).toEqual({
    kind: "delivered",
  });
}

describe("/metrics", () => {
  it("is served as text, as Prometheus asks for it, plain and zipped", async () => {
    const { output, url } = await listening();
    await deliver(output);
    const answers = await Promise.all(
      ["identity", "gzip", "br, gzip;q=0.5", "gzip;q=0", "*"].map((encoding) =>
        fetch(url, { headers: { "accept-encoding": encoding } }),
      ),
    );
    expect(answers.map(({ headers }) => headers.get("content-encoding"))).toEqual([
      null,
      "gzip",
      "gzip",
      null,
      null,
    ]);
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-type")).toBe(plainText.contentType);
      expect(parseScrape(await answer.text()).samples.size).toBe(4 + 4 + 4 * 6 + 1);
    }
  });

  it("is empty, and no error, before the first point", async () => {
    const { url } = await listening();
    const answer = await fetch(url);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe("");
  });

  it.each([
    ["application/openmetrics-text;version=1.0.0", /# EOF\n$/],
    [protobuf, /^[^#]{3,}job/s],
    ["text/plain;version=1.0.0", /^# TYPE/m],
  ])("is served as %s to who asks for that", async (accept, expected) => {
    const { output, url } = await listening();
    await deliver(output);
    const answer = await fetch(url, { headers: { accept } });
    expect(answer.headers.get("content-type")).toBe(formatFor(accept).contentType);
    expect(answer.headers.get("vary")).toBe("accept, accept-encoding");
    expect(await answer.text()).toMatch(expected);
  });

  it("takes a query, and HEAD", async () => {
    const { output, url } = await listening();
    await deliver(output);
    expect((await fetch(`${url}?name[]=x`)).status).toBe(200);
    const head = await fetch(url, { method: "HEAD" });
    expect([head.status, head.headers.get("content-type")]).toEqual([200, plainText.contentType]);
    expect(await head.text()).toBe("");
  });

  it("is written whole when it is large, while points go on coming", async () => {
    const { output, url } = await listening();
    await deliver(output, 6000);
    const [answer] = await Promise.all([fetch(url), deliver(output, 6000)]);
    expect(parseScrape(await answer.text()).samples.size).toBeGreaterThan(15_000);
  });
});

describe("other requests", () => {
  it.each([
    ["GET", "/", 404],
    ["GET", "/metrics/", 404],
    ["GET", "/metricsx", 404],
    ["GET", "//metrics", 404],
    ["GET", "/%E0%A4%A", 404],
    ["GET", "http://", 404],
    ["GET", "*", 404],
    ["POST", "/metrics", 405],
    ["DELETE", "/metrics", 405],
    ["OPTIONS", "*", 404],
  ])("%s %s is answered %d", async (method, path, status) => {
    const { url } = await listening();
    const { port } = new URL(url);
    const request = httpRequest({ host: "127.0.0.1", port, method, path }).end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(status);
    expect((await fetch(url)).status).toBe(200);
  });

  it.each([
    ["no HTTP", "\x16\x03\x01\x02\0\x01\0\r\n\r\n"],
    ["a header line of its own kind", "GET /metrics HTTP/1.1\r\n: x\r\n\r\n"],
    ["headers without end", `GET /metrics HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}`],
    [
      "two lengths",
      "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
  ])("of %s are refused and trouble nobody", async (_what, text) => {
    const { url } = await listening();
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.on("error", () => {});
    socket.write(text);
    let answer = "";
    socket.on("data", (data) => (answer += data.toString()));
    await once(socket, "close");
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect((await fetch(url)).status).toBe(200);
  });

  it.each(["identity", "gzip"])(
    "that go away in the middle of %s trouble nobody",
    async (coding) => {
      const { output, url } = await listening();
      await deliver(output, 24_000);
      for (let round = 0; round < 9; round++) {
        const socket = connect(Number(new URL(url).port), "127.0.0.1");
        socket.on("error", () => {});
        socket.write(`GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: ${coding}\r\n\r\n`);
        await once(socket, "data");
        socket.destroy();
      }
      const answer = await until("a place for a scrape", async () => {
        const answer = await fetch(url);
        return answer.status === 200 ? answer : undefined;
      });
      parseScrape(await answer.text());
    },
  );

  it("beyond eight scrapes at a time are asked to come again", async () => {
    const { output, url } = await listening();
    await deliver(output, 24_000);
    const stalled = Array.from({ length: 8 }, () => {
      const socket = connect(Number(new URL(url).port), "127.0.0.1");
      socket.on("error", () => {});
      socket.once("data", () => socket.pause());
      socket.write("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
      return socket;
    });
    await Promise.all(stalled.map((socket) => once(socket, "data")));
    const refused = await fetch(url);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    for (const socket of stalled) socket.destroy();
    await until("a place for a scrape", async () => (await fetch(url)).status === 200);
  });
});

describe("opening and closing", () => {
  it("says which port is taken", async () => {
    const { url } = await listening();
    const port = Number(new URL(url).port);
    await expect(listening(port)).rejects.toThrow(
      `outputs.prometheus.port: cannot listen on 127.0.0.1:${port}, the port is taken`,
    );
  });

  it("wants nothing where the port is off", async () => {
    const { output, url } = await listening("off");
    expect([output.wants, url]).toEqual([[], ""]);
  });

  it("closes at once, whoever is connected", async () => {
    const { output, url } = await listening();
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    await once(socket, "connect");
    await output.close();
    await expect(fetch(url)).rejects.toThrow("fetch failed");
    socket.destroy();
  });
});

describe("memory", () => {
  it("holds nothing of the bytes of a batch", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage = runInNewContext("gc") as () => void; // there with the flag above
    const { output } = await listening();
    const given = async (): Promise<WeakRef<Uint8Array>> => {
      const batch = sampleBatch("metrics", { items: 100 });
      const bytes = Uint8Array.from(batch.bytes);
      const entries = [{ position: 0, atMs: 0, batch: { ...batch, bytes } }];
      const delivery = { signal: "metrics", entries, items: 100, bytes: 1 } as const;
      await output.deliver(delivery, new AbortController().signal);
      return new WeakRef(bytes);
    };
    const first = await given();
    await given(); // the views over bytes keep the last ones
    await until("the first batch is gone", () => {
      collectGarbage();
      return first.deref() === undefined;
    });
  });
});

describe("the settings", () => {
  it.each([
    ["5m", 300_000],
    ["90s", 90_000],
    ["250ms", 250],
    ["1h", 3_600_000],
    ["0", 0],
    [1500, 1500],
    [0, 0],
  ])("take %s for metric_expiration", (given, ms) => {
    expect(settings.parse({ metric_expiration: given }).metric_expiration).toBe(ms);
  });

  it.each([
    { metric_expiration: "soon" },
    { metric_expiration: -1 },
    { metric_expiration: 1.5 },
    { port: 65_536 },
    { port: "on" },
    { max_series: 0 },
    { max_bytes: 0 },
    { prot: 1 },
  ])("refuse %o", (given) => {
    expect(settings.safeParse(given).success).toBe(false);
  });
});
