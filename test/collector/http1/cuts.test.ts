// The same bytes are the same requests, however the network cuts them into pieces; and whatever ours
// takes for a request, Node's own parser takes for the same one.

import { once } from "node:events";
import { createServer, type IncomingMessage, METHODS } from "node:http";
import type { Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Connection } from "../../../collector/http1/connection.ts";
import { usualLimits } from "../../../collector/http1/limits.ts";
import type { Shared } from "../../../collector/http1/shared.ts";
import { Gathering } from "../../../collector/memory/gathering.ts";
import { spoiled } from "../../support/memory.ts";
import { answersIn } from "../../support/raw-http.ts";
import { type Asked, Echo } from "./echo.ts";

interface Outcome {
  readonly asked: readonly Asked[];
  readonly statuses: readonly number[];
}

const header = fc.constantFrom("", "X-A: b\r\n", "content-type: application/json\r\n");
const text = fc.string({ maxLength: 300 });
const withLength = fc.tuple(header, text).map(([extra, body]) => {
  const { length } = Buffer.from(body);
  return `POST /a HTTP/1.1\r\nHost: h\r\n${extra}Content-Length: ${length}\r\n\r\n${body}`;
});
const inChunks = fc.tuple(header, fc.array(text, { maxLength: 4 })).map(([extra, pieces]) => {
  const chunks = pieces
    .map((piece) => ({ piece, size: Buffer.from(piece).length }))
    .filter(({ size }) => size > 0)
    .map(({ piece, size }) => `${size.toString(16)};x=y\r\n${piece}\r\n`);
  const end = "0\r\nTrailer: t\r\n\r\n";
  return `POST /b HTTP/1.1\r\nHost: h\r\n${extra}Transfer-Encoding: chunked\r\n\r\n${chunks.join("")}${end}`;
});
const bodiless = fc.constant("GET /c?d HTTP/1.1\r\nHost: h\r\n\r\n");
const request = fc.oneof({ weight: 3, arbitrary: withLength }, inChunks, bodiless);
const requests = fc.array(request, { minLength: 1, maxLength: 6 }).map((all) => all.join("\r\n"));
const cuts = fc.array(fc.nat(), { maxLength: 12 });

test("any cut of the bytes gives the same requests and answers", async () => {
  await fc.assert(
    fc.asyncProperty(requests, cuts, async (bytes, places) => {
      const whole = await ours([Buffer.from(bytes)]);
      expect(whole.statuses.every((status) => status === 200)).toBe(true);
      expect(await ours(cut(Buffer.from(bytes), places))).toEqual(whole);
    }),
    { numRuns: 200 },
  );
});

test("so does every single byte in a piece of its own", async () => {
  const [bytes = ""] = fc.sample(requests, { numRuns: 1, seed: 7 });
  const all = Buffer.from(bytes);
  const single = Array.from(all, (_, index) => all.subarray(index, index + 1));
  expect(await ours(single)).toEqual(await ours([all]));
});

test("what is damaged is refused, or is the same to Node's parser", async () => {
  let refused = 0;
  const damage = fc.record({ at: fc.nat(), put: fc.constantFrom(...damages), length: fc.nat(3) });
  await fc.assert(
    fc.asyncProperty(requests, damage, cuts, async (bytes, { at, put, length }, places) => {
      const place = at % bytes.length;
      const bad = Buffer.from(bytes.slice(0, place) + put + bytes.slice(place + length), "latin1");
      const whole = await ours([bad]);
      expect((await ours(cut(bad, places))).asked).toEqual(whole.asked);
      if (whole.statuses.some((status) => status !== 200)) refused++;
      if (bad.includes("chunked\t")) return; // a tab may stand there by RFC 9110, but not with Node
      const node = await nodes(bad);
      // Ours may refuse what Node takes, never the other way round, and never see something else. Methods
      // that Node does not know it refuses, and all that comes behind them.
      const unknown = whole.asked.findIndex(({ method }) => !METHODS.includes(method));
      const known = unknown < 0 ? whole.asked : whole.asked.slice(0, unknown);
      expect(node.slice(0, known.length)).toEqual(known);
    }),
    // Always the same ones, so that nobody else's change meets a disagreement that is older.
    { numRuns: 300, seed: 1 },
  );
  expect(refused).toBeGreaterThan(50);
});

const damages = [
  "\r",
  "\n",
  "\r\n",
  "\0",
  " ",
  "\t",
  ":",
  "0",
  "f",
  "-",
  "Content-Length: 1\r\n",
  "",
];

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...places.map((place) => place % (bytes.length + 1)), 0, bytes.length].toSorted(
    (one, other) => one - other,
  );
  return sorted.slice(1).map((place, index) => bytes.subarray(sorted[index], place));
}

/** Over a stream in memory, which keeps the pieces as they are until they have been looked at. */
async function ours(pieces: readonly Buffer[]): Promise<Outcome> {
  const application = new Echo();
  const gathering = new Gathering(spoiled());
  const times = { nowMs: 0, date: "" };
  const shared: Shared = { application, limits: usualLimits, gathering, ...times, unreadBytes: 0 };
  const { near, far, received } = pair();
  const connection = new Connection(near as Socket, shared); // a Duplex has all that is used of it
  near.on("data", (lent: Buffer) => lent.fill(0xee));
  for (const piece of pieces) if (piece.length > 0) far.write(Buffer.from(piece));
  far.end();
  await once(far, "end");
  expect(connection.idleSinceMs).toBeUndefined();
  expect([application.heldBytes, shared.unreadBytes]).toEqual([0, 0]);
  const statuses = answersIn(received()).map(({ status }) => status);
  return { asked: application.asked, statuses };
}

async function nodes(bytes: Buffer): Promise<Asked[]> {
  const asked: Asked[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    let body = "";
    request.setEncoding("latin1");
    request.on("data", (piece: string) => (body += piece));
    request.on("error", () => {});
    request.on("end", () => {
      const { method = "", url = "" } = request;
      asked.push({ method, path: url.split("?", 1)[0]!, body });
      response.end();
    });
  });
  const { near, far } = pair();
  server.emit("connection", near);
  far.end(bytes);
  await Promise.race([once(server, "clientError"), once(far, "end"), once(near, "close")]);
  server.close();
  near.destroy();
  return asked;
}

function pair(): { near: Duplex; far: Duplex; received: () => string } {
  const [near, far] = duplexPair();
  let text = "";
  far.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  far.on("error", () => {});
  near.on("error", () => {});
  return { near, far, received: () => text };
}
