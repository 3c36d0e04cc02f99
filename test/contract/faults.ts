// What every output that sends over the network does about everything that can be wrong with its destination. Nothing that was
// acknowledged is lost, what the server has taken is not sent twice, another output of the same log notices
// nothing, memory is bounded, health and `sonde where` tell what is the matter, and nobody tells a password.
// The server misbehaves while data comes in, then mends; each case makes sure that its fault was met.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Output, OutputContext } from "../../collector/output/output.ts";
import type { Signal } from "../../collector/wire/batch.ts";
import { makeAuthority } from "../support/certificates.ts";
import { listenLocally } from "../support/listen.ts";
import {
  type Behaviour,
  type BlackHole,
  openBlackHole,
  type Transport,
} from "../support/troubled-server.ts";
import { until } from "../support/until.ts";
import { Trouble } from "./trouble.ts";

export interface Subject<Response> extends Behaviour<Response> {
  readonly transport: Transport<Response>;
  readonly signal: Signal;
  open(given: OpenOptions, context: OutputContext): Promise<Output>;
  /** Whether the odd thanks of its transport mean that all was taken. */
  readonly takesOddThanks: boolean;
}

export interface OpenOptions {
  readonly url: string;
  readonly timeout_ms: number;
  readonly certificate?: string;
  readonly headers: Readonly<Record<string, string>>;
}

const noSuchHost = async (): Promise<BlackHole> => ({
  url: "http://no-such-host.invalid:1",
  close: async () => {},
});

/** Where a fault hangs. Elsewhere it is longer than a slow machine takes: what comes late is sent again. */
const shortMs = 500;

export function faultContract<Response>(name: string, subject: Subject<Response>): void {
  const { transport } = subject;
  let trouble: Trouble<Response>;
  beforeEach(async () => {
    trouble = await Trouble.open(subject);
  });
  afterEach(() => trouble.close());

  describe(`${name}: a server that`, () => {
    test.each([
      ...Object.entries(transport.passing).map(([what, fault]) => [what, fault, {}] as const),
      ...Object.entries(transport.hanging).map(
        ([what, fault]) => [what, fault, { timeout_ms: shortMs }] as const,
      ),
    ])("%s is waited for", async (_what, fault, patience) => {
      const { server } = trouble;
      server.fault = fault;
      const feed = await trouble.startFeed(patience);
      await trouble.append();
      await trouble.expectOthersUndisturbed();
      const enough = trouble.atATime + 1;
      await until("the fault was met several times", () => server.faults > enough);
      expect(server.taken).toEqual([]);
      await trouble.expectTold("retrying", feed.failure?.reason);
      server.fault = undefined;
      await trouble.expectAllDelivered();
    });

    test("is not there for hours is waited for, and memory stays as it was", async () => {
      await trouble.server.close();
      await trouble.append();
      const feed = await trouble.startFeed();
      await until("it was tried", () => feed.failure?.reason === "unreachable");
      await trouble.expectOthersUndisturbed();
      const before = trouble.heapBytes();
      const tries = trouble.tries;
      // At the usual pace of 15 seconds on average this takes an hour and a quarter.
      await until("it was tried 300 times", () => trouble.tries > tries + 300);
      expect(trouble.heapBytes() - before).toBeLessThan(8 << 20);
      vi.setSystemTime(Date.now() + 3 * 3_600_000);
      try {
        await trouble.expectTold("failing", "unreachable");
      } finally {
        vi.useRealTimers();
      }
      await trouble.server.listen();
      await trouble.expectAllDelivered();
    });

    test.each([
      ["has a name that nobody knows", "unreachable", noSuchHost],
      ["swallows every packet", "timeout", openBlackHole],
    ] as const)("%s is waited for", async (_what, reason, there) => {
      const place = await there();
      const { url } = place;
      await trouble.append();
      const feed = await trouble.startFeed({ url, timeout_ms: 100 });
      await until("it was tried", () => feed.failure?.reason === reason);
      await trouble.expectTold("retrying", reason);
      await trouble.expectOthersUndisturbed();
      await trouble.restart(); // with an address that is right
      await trouble.startFeed();
      await trouble.expectAllDelivered();
      await place.close();
    });

    test("has an expired certificate is sent nothing, until it has another", async () => {
      const { server } = trouble;
      const authority = makeAuthority(trouble.folder, "authority");
      const pairOf = (days: number): { cert: Buffer; key: Buffer } => {
        const { cert, key } = authority.issue(`server ${days}`, { days });
        return { cert: readFileSync(cert), key: readFileSync(key) };
      };
      await server.close();
      await server.listen(pairOf(-0.001));
      await trouble.append();
      const feed = await trouble.startFeed({ certificate: authority.cert });
      await until("it was tried", () => feed.failure && trouble.tries > 2);
      const detail = expect.stringContaining("expired") as string;
      expect(feed.failure).toMatchObject({ reason: "unreachable", detail });
      expect(server.came).toEqual([]);
      await trouble.expectOthersUndisturbed();
      await server.close();
      await server.listen(pairOf(1));
      await trouble.expectAllDelivered();
    });

    test("sends us to another host is not followed", async () => {
      let followed = 0;
      const other = createServer((_request, response) => {
        followed++;
        response.end();
      });
      const location = `http://127.0.0.1:${await listenLocally(other)}/`;
      for (const redirect of transport.redirects(location)) {
        trouble.server.fault = redirect;
        if (trouble.feeds.length === 0) {
          await trouble.append();
          await trouble.startFeed();
        }
        const { faults } = trouble.server;
        await until("the fault was met", () => trouble.server.faults > faults + trouble.atATime);
      }
      await trouble.expectTold("retrying", trouble.feeds[0]?.failure?.reason);
      expect(followed).toBe(0);
      trouble.server.fault = undefined;
      await trouble.expectAllDelivered();
      other.close();
    });

    test.each(Object.entries(transport.oddThanks))(
      "%s has everything once",
      async (_what, thank) => {
        const { server } = trouble;
        server.fault = (response, _request, take) => {
          take();
          thank(response);
        };
        const feed = await trouble.startFeed({ timeout_ms: shortMs });
        await trouble.append();
        await trouble.expectOthersUndisturbed();
        if (!subject.takesOddThanks) {
          await until("it was asked again", () => server.faults > 1);
          await until("that is told", () => feed.failure !== undefined);
          server.fault = undefined;
        }
        await trouble.expectAllDelivered();
        expect(server.faults).toBeGreaterThan(0);
      },
    );
  });

  describe(`${name}: when to come again is waited for, by all`, () => {
    test.each(Object.entries(transport.busy))("%s", async (_what, refuse) => {
      const { server, atATime } = trouble;
      server.fault = (response) => {
        if (server.faults >= atATime) server.fault = undefined;
        refuse(response);
      };
      await trouble.append();
      await trouble.startFeed();
      await trouble.expectAllDelivered();
      expect(server.faults).toBe(atATime);
      const gap = server.came[atATime]! - server.came[atATime - 1]!;
      expect(gap).toBeGreaterThan(950);
      expect(gap).toBeLessThan(10_000);
    });

    test("an absurd one holds nothing up that is being stopped, and loses nothing", async () => {
      const { server, atATime } = trouble;
      server.fault = (response) => transport.busyForEver(response);
      await trouble.append();
      const feed = await trouble.startFeed();
      await until("it was told to wait", () => server.faults === atATime);
      await trouble.expectOthersUndisturbed();
      expect(server.came.length).toBe(atATime);
      await feed.stop(new AbortController().signal);
      expect(feed.reader.waiting.items[subject.signal]).toBe(trouble.sent.length);
      server.fault = undefined;
      await trouble.restart();
      await trouble.startFeed();
      await trouble.expectAllDelivered();
    });
  });

  describe(`${name}: too large`, () => {
    test("for what is large: halved until it is taken", async () => {
      const { server } = trouble;
      server.fault = (response, request, take) => {
        if (request.body.length > 12_000) {
          transport.tooLarge(response);
          return;
        }
        take();
        subject.thanks(request, response);
      };
      await trouble.append();
      const feed = await trouble.startFeed();
      await trouble.expectAllDelivered();
      expect([...feed.books.lines].map(({ outcome }) => outcome)).toEqual(["delivered"]);
    });

    test("for one record: that becomes a dead letter, its neighbours are delivered once", async () => {
      await trouble.append();
      const culprits = new Set([0, 77, 78, 299].map((at) => trouble.sent[at]!));
      trouble.server.fault = (response, request, take) => {
        if (subject.idsIn(request)!.some((id) => culprits.has(id))) {
          transport.tooLarge(response);
          return;
        }
        take();
        subject.thanks(request, response);
      };
      const feed = await trouble.startFeed();
      await trouble.drained(feed);
      const kept = trouble.kept();
      expect(new Set(trouble.letters().map(({ reason }) => reason))).toEqual(
        new Set(["too_large"]),
      );
      expect(new Set(kept)).toEqual(culprits);
      expect(kept).toHaveLength(culprits.size);
      const others = trouble.sent.filter((id) => !culprits.has(id));
      expect(trouble.server.taken.toSorted()).toEqual(others.toSorted());
      trouble.expectBalance(feed);
      trouble.expectSecretsKept();
    });
  });
}
