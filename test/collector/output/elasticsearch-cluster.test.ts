// Several nodes, several deliveries at a time, what is asked of the server before something is sent again, and
// what it is told about how long to keep records. What no server here can be asked is held against the
// documented requests.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Delivery, Output } from "../../../collector/output/output.ts";
import { sampleBatch } from "../../support/otlp.ts";
import {
  deliveryOf,
  never,
  openOutput,
  type Reaction,
  type Request,
  type Server,
  startServer,
} from "./elasticsearch-server.ts";

let server: Server;
let outputs: Output[];
beforeEach(async () => {
  server = await startServer();
  outputs = [];
});
afterEach(async () => {
  await Promise.all(outputs.map((output) => output.close()));
  await server.close();
});

async function openTo(given: object, said: string[] = []): Promise<Output> {
  const output = await openOutput(server.url, given, { write: (line) => said.push(line) });
  outputs.push(output);
  return output;
}

const three = () => sampleBatch("logs", { items: 3 });
const delivered = { kind: "delivered" };

describe("several nodes", () => {
  let other: Server;
  beforeEach(async () => {
    other = await startServer();
    other.stored = server.stored; // of one cluster
  });
  afterEach(() => other.close());

  test("take turns", async () => {
    const output = await openTo({ url: [server.url, other.url] });
    for (let position = 0; position < 6; position++) {
      expect(await output.deliver(deliveryOf([three()], position), never)).toEqual(delivered);
    }
    // The first turn was for the template.
    expect([server.bulks.length, other.bulks.length]).toEqual([3, 3]);
  });

  test("one that does not answer is left out, and asked again later", async () => {
    const output = await openTo({ url: [server.url, other.url], timeout_ms: 1000 });
    await output.deliver(deliveryOf([three()]), never);
    other.onBulk = () => true; // says nothing
    for (let position = 1; position < 6; position++) {
      expect(await output.deliver(deliveryOf([three()], position), never)).toEqual(delivered);
    }
    expect(other.bulks.length).toBeLessThanOrEqual(2);
    expect(server.stored.size).toBe(18);
  });

  test("when none answers that is told, after each was asked once", async () => {
    const output = await openTo({ url: [server.url, other.url] });
    await output.deliver(deliveryOf([three()]), never);
    const drop = (_request: Request, response: { destroy(): unknown }): Reaction => {
      response.destroy();
      return true;
    };
    const before = server.bulks.length + other.bulks.length;
    server.onBulk = other.onBulk = drop;
    const outcome = await output.deliver(deliveryOf([three()], 1), never);
    expect(outcome).toMatchObject({ kind: "retry", reason: "unreachable" });
    // A kept connection that breaks is tried once more.
    expect(server.bulks.length + other.bulks.length - before).toBeLessThanOrEqual(4);
  });

  test("must all have TLS or none", async () => {
    await expect(openTo({ url: ["http://a:9200", "https://b:9200"] })).rejects.toThrow(/all http/);
  });
});

describe("several deliveries at a time", () => {
  const deliveries = (): Delivery[] =>
    [0, 1, 2].map((at) => deliveryOf([sampleBatch("logs", { items: 40, seed: at + 1 })], at));

  const stored = (items: number): object[] =>
    Array.from({ length: items }, () => ({ create: { status: 201 } }));

  test("are under way together, each with its own documents", async () => {
    const held: (() => void)[] = [];
    server.onBulk = ({ documents }, response) => {
      for (const [id, document] of documents) server.stored.set(id, document);
      held.push(() => response.writeHead(200).end(JSON.stringify({ items: stored(40) })));
      if (held.length === 3) for (const answer of held) answer();
      return true;
    };
    const output = await openTo({});
    const outcomes = deliveries().map((delivery) => output.deliver(delivery, never));
    expect(await Promise.all(outcomes)).toEqual(outcomes.map(() => ({ kind: "delivered" })));
    const together = server.stored;
    server.stored = new Map();
    server.onBulk = undefined;
    for (const delivery of deliveries()) await output.deliver(delivery, never);
    expect(server.stored.size).toBe(120);
    expect(Object.fromEntries(together)).toEqual(Object.fromEntries(server.stored));
  });

  test("look for the template once, and again after a failure", async () => {
    const output = await openTo({});
    server.onOther = () => ({ status: 503 });
    const failed = await Promise.all(deliveries().map((one) => output.deliver(one, never)));
    expect(failed.map(({ kind }) => kind)).toEqual(["retry", "retry", "retry"]);
    expect(server.others).toHaveLength(1);
    server.onOther = undefined;
    await Promise.all(deliveries().map((one) => output.deliver(one, never)));
    await output.deliver(deliveryOf([three()], 3), never);
    expect(server.others).toHaveLength(2);
  });
});

describe("before what may be stored is sent again", () => {
  const search = (ids: readonly string[]): Reaction => ({
    status: 200,
    body: { timed_out: false, _shards: { failed: 0 }, hits: { hits: ids.map((_id) => ({ _id })) } },
  });
  const asked = (): string[] =>
    server.others.map(({ path }) => path).filter((path) => path.includes("_search"));
  const old = (...args: Parameters<typeof deliveryOf>): ReturnType<typeof deliveryOf> => {
    const delivery = deliveryOf(...args);
    const entries = delivery.entries.map((entry) => ({ ...entry, atMs: entry.atMs - 60_000 }));
    return { ...delivery, entries };
  };

  test("its ids are looked for, and those that are found are not sent", async () => {
    const output = await openTo({});
    server.onOther = ({ path }) => path.includes("_search") && search(["log-0-0", "log-0-2"]);
    expect(await output.deliver(old([three()]), never)).toEqual(delivered);
    expect(server.others.map(({ path }) => path.split("?")[0])).toEqual([
      "/_index_template/sonde-logs",
      "/logs-generic.otel-default/_refresh",
      "/logs-generic.otel-default/_search",
    ]);
    expect(JSON.parse(server.others[2]!.body)).toEqual({
      query: { ids: { values: ["log-0-0", "log-0-1", "log-0-2"] } },
      _source: false,
    });
    expect([...server.bulks[0]!.documents.keys()]).toEqual(["log-0-1"]);
  });

  test("not of what is new, nor after a 429, nor where an index has one name for good", async () => {
    const output = await openTo({});
    const delivery = deliveryOf([three()]);
    server.onBulk = () => ({ status: 429 });
    await output.deliver(delivery, never);
    server.onBulk = undefined;
    await output.deliver(delivery, never);
    const byName = await openTo({ index: "logs" });
    await byName.deliver(old([three()], 9), never);
    expect(asked()).toEqual([]);
  });

  test("after an answer that was lost", async () => {
    const output = await openTo({});
    const delivery = deliveryOf([three()]);
    server.onBulk = ({ documents }, response) => {
      for (const [id, document] of documents) server.stored.set(id, document);
      response.destroy();
      return true;
    };
    await output.deliver(delivery, never);
    server.onBulk = undefined;
    server.onOther = ({ path }) => path.includes("_search") && search([...server.stored.keys()]);
    const before = server.bulks.length;
    expect(await output.deliver(delivery, never)).toEqual(delivered);
    expect(server.bulks.length).toBe(before);
  });

  test.each([403, 404, 405])("who answers %i cannot be asked, and is sent it", async (status) => {
    const output = await openTo({});
    server.onOther = ({ path }) => path.includes("_search") && { status };
    expect(await output.deliver(old([three()]), never)).toEqual(delivered);
    expect(server.stored.size).toBe(3);
  });

  test("an answer that is not whole is asked for again, but not forever", async () => {
    const output = await openTo({});
    server.onOther = ({ path }) =>
      path.includes("_search") && { status: 200, body: { timed_out: true } };
    const delivery = old([three()]);
    const kinds: string[] = [];
    while (kinds.at(-1) !== "delivered" && kinds.length < 20) {
      kinds.push((await output.deliver(delivery, never)).kind);
    }
    expect(kinds).toEqual([...Array.from({ length: 10 }, () => "retry"), "delivered"]);
  });

  test("only of the first that comes after a start", async () => {
    const output = await openTo({});
    await output.deliver(old([three()], 10), never);
    await output.deliver(old([three()], 7509), never);
    expect(asked()).toHaveLength(2);
    await output.deliver(old([three()], 7510), never);
    expect(asked()).toHaveLength(2);
    const alone = await openTo({ max_in_flight: 1 });
    await alone.deliver(old([three()], 10), never);
    await alone.deliver(old([three()], 2510), never);
    expect(asked()).toHaveLength(3);
  });
});

describe("how long records are kept", () => {
  const puts = (): [path: string, body: Record<string, unknown>][] =>
    server.others
      .filter(({ method }) => method === "PUT")
      .map(({ path, body }) => [path, JSON.parse(body) as Record<string, unknown>]);

  /** What is not there is made; words that are given the server does not know. */
  const knowing =
    (isKnown: (request: Request) => boolean) =>
    (request: Request): Reaction => {
      if (request.method === "GET") return { status: isKnown(request) ? 404 : 405 };
      return isKnown(request) ? false : { status: 400 };
    };

  async function install(given: object, isKnown: (request: Request) => boolean): Promise<string[]> {
    const said: string[] = [];
    server.onOther = knowing(isKnown);
    const output = await openTo({ retention: "30d", ...given }, said);
    expect(await output.deliver(deliveryOf([three()]), never)).toEqual(delivered);
    return said;
  }

  test("a data stream of Elasticsearch has a lifecycle", async () => {
    expect(await install({}, ({ path }) => !path.includes("_ism"))).toEqual([]);
    expect(puts()).toHaveLength(1);
    expect(puts()[0]![1]).toMatchObject({
      index_patterns: ["logs-*.otel-*"],
      template: { lifecycle: { data_retention: "30d" } },
    });
  });

  test("where Elasticsearch has its own template, that is told by the part left to others", async () => {
    server.onOther = ({ method, path }) =>
      method === "GET" && !path.includes("logs-otel@template") && { status: 404 };
    const output = await openTo({ retention: "30d" });
    await output.deliver(deliveryOf([three()]), never);
    expect(puts()[0]).toEqual([
      "/_component_template/logs-otel@custom",
      expect.objectContaining({
        template: {
          settings: { "index.lifecycle.prefer_ilm": false },
          lifecycle: { data_retention: "30d" },
        },
      }),
    ]);
  });

  test("spans are told of likewise, and so are the logs that their events become", async () => {
    server.onOther = ({ method, path }) =>
      method === "GET" && !path.includes("-otel@template") && { status: 404 };
    const output = await openTo({ retention: "30d", signals: ["traces", "metrics"] });
    await output.deliver(deliveryOf([three()]), never);
    expect(puts().map(([path]) => path)).toEqual([
      "/_component_template/traces-otel@custom",
      "/_index_template/sonde-traces?create=true",
      "/_index_template/sonde-metrics?create=true",
      "/_component_template/logs-otel@custom",
      "/_index_template/sonde-logs?create=true",
    ]);
    const patterns = puts().flatMap(([, body]) => body["index_patterns"] ?? []);
    expect(patterns).toEqual(["traces-*.otel-*", "metrics-*.sonde-*", "logs-*.otel-*"]);
  });

  test("indices of each signal have their own policy and template", async () => {
    const given = { index: "%s-%Y.%m", signals: ["logs", "metrics"] };
    await install(given, ({ path }) => !path.includes("_ism"));
    expect(puts().map(([path]) => path)).toEqual([
      "/_ilm/policy/sonde-logs-y.m",
      "/_index_template/sonde-logs-y.m?create=true",
      "/_ilm/policy/sonde-metrics-y.m",
      "/_index_template/sonde-metrics-y.m?create=true",
    ]);
  });

  test("indices of Elasticsearch have a policy of ILM", async () => {
    expect(await install({ index: "logs-%Y.%m.%d" }, ({ path }) => !path.includes("_ism"))).toEqual(
      [],
    );
    const [[path, policy], [, template]] = puts() as [[string, object], [string, object]];
    expect(path).toBe("/_ilm/policy/sonde-logs-y.m.d");
    expect(policy).toMatchObject({
      policy: { phases: { delete: { min_age: "30d", actions: { delete: {} } } } },
    });
    expect(template).toMatchObject({
      index_patterns: ["logs-2*.*.*"],
      template: { settings: { "index.lifecycle.name": "sonde-logs-y.m.d" } },
    });
  });

  test.each([
    [{}, "sonde-logs", "logs-*.otel-*", 1],
    [{ index: "logs-%Y" }, "sonde-logs-y", "logs-2*", 0],
  ])("OpenSearch has a policy of ISM, for %j", async (given, name, pattern, rollovers) => {
    const isKnown = ({ path, body }: Request): boolean =>
      !path.includes("_ilm") && !body.includes('"type":"flattened"');
    expect(await install(given, isKnown)).toEqual([]);
    const [path, { policy }] = puts().at(-1) as [string, { policy: Policy }];
    expect(path).toBe(`/_plugins/_ism/policies/${name}`);
    expect(policy.ism_template[0]!.index_patterns).toEqual([pattern]);
    expect(policy.states[0]!.actions).toHaveLength(rollovers);
    expect(policy.states[0]!.transitions).toEqual([
      { state_name: "delete", conditions: { min_index_age: "30d" } },
    ]);
  });

  test("a server that has none of these takes the records all the same, and it is told", async () => {
    const said = await install(
      { index: "logs-%Y" },
      ({ path, body }) => !/_ilm|_ism/.test(path) && !body.includes("lifecycle"),
    );
    expect(said.join()).toContain("retention: the server has neither");
  });

  test("a policy that is there is left alone", async () => {
    server.onOther = ({ method, path }) =>
      method === "GET" && path.includes("_index_template") && { status: 404 };
    const output = await openTo({ retention: "30d", index: "logs-%Y" });
    await output.deliver(deliveryOf([three()]), never);
    expect(puts().map(([path]) => path)).toEqual(["/_index_template/sonde-logs-y?create=true"]);
  });

  test("of a time that is none, that is told", async () => {
    await expect(openTo({ retention: "a month" })).rejects.toThrow(/give days or hours/);
  });
});

interface Policy {
  readonly ism_template: readonly { readonly index_patterns: readonly string[] }[];
  readonly states: readonly {
    readonly actions: readonly object[];
    readonly transitions: object[];
  }[];
}
