// What an OTLP server refuses for good: all of it is kept, the culprits alone where they can be found, and
// nothing that was taken is sent twice.

import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { answerStatus } from "../../support/troubled-http.ts";
import { Trouble } from "../../contract/trouble.ts";
import { encodeResponse } from "../../support/otlp.ts";
import { otlpOverHttp } from "./network-outputs.ts";

let trouble: Trouble<ServerResponse>;
beforeEach(async () => {
  trouble = await Trouble.open(otlpOverHttp);
});
afterEach(() => trouble.close());

test("whatever is sent: all of it is kept", async () => {
  trouble.server.fault = answerStatus(400);
  await trouble.append();
  const feed = await trouble.startFeed();
  await trouble.expectOthersUndisturbed();
  await trouble.drained(feed);
  expect(trouble.kept().toSorted()).toEqual(trouble.sent.toSorted());
  expect(feed.books.total().traces).toBe(trouble.sent.length);
  expect(trouble.server.taken).toEqual([]);
  trouble.expectSecretsKept();
});

test("some records: these alone are kept, the others are delivered once", async () => {
  const { server, sent } = trouble;
  await trouble.append();
  const culprits = new Set([0, 77, 78, 250, sent.length - 1].map((at) => sent[at]!));
  server.fault = (response, request, take) => {
    const isBad = otlpOverHttp.idsIn(request)!.some((id) => culprits.has(id));
    if (!isBad) take();
    response.writeHead(isBad ? 400 : 200).end();
  };
  const feed = await trouble.startFeed();
  await trouble.drained(feed);
  expect(new Set(trouble.kept())).toEqual(culprits);
  expect(trouble.letters()).toHaveLength(culprits.size);
  const others = sent.filter((id) => !culprits.has(id));
  expect(server.taken.toSorted()).toEqual(others.toSorted());
  trouble.expectBalance(feed);
});

test("a part, without saying which: never sent again, kept with what the server said", async () => {
  const { server, sent } = trouble;
  const body = encodeResponse("traces", {
    partialSuccess: { rejectedSpans: "2", errorMessage: "too old" },
  });
  server.fault = (response, _request, take) => {
    take();
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end(body);
  };
  await trouble.append();
  const feed = await trouble.startFeed();
  await trouble.drained(feed);
  expect(server.taken.toSorted()).toEqual(sent.toSorted());
  for (const letter of trouble.letters()) {
    expect(letter).toMatchObject({ items: 2, reason: "partial_success", detail: "too old" });
    expect(letter.among).toBeGreaterThan(2);
  }
  const rejected = [...feed.books.lines].find(({ outcome }) => outcome === "rejected");
  expect(rejected?.items).toBe(server.faults * 2);
  trouble.expectBalance(feed);
});
