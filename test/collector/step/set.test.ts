import { deepStrictEqual } from "node:assert";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Signal } from "../../../collector/wire/batch.ts";
import { anyRequest, fuzz } from "../../support/otlp-arbitrary.ts";
import {
  attributes,
  type AttributeValue,
  encodeMessage,
  type Request,
  sampleBatch,
} from "../../support/otlp.ts";
import type { AnyValue, KeyValue } from "../../support/otlp-shapes.ts";
import { applied, batchOf, findAttribute, groupsOf, openStep } from "./steps.ts";

describe("set", () => {
  it("sets and deletes attributes of any request, and changes nothing else", async () => {
    const rules = { new: "x", "a.b": 7, gone: { delete: true } };
    const step = await openStep("set", {
      resource: rules,
      scope: rules,
      span: rules,
      log: rules,
      datapoint: rules,
    });
    fc.assert(
      fc.property(anyRequest, ({ signal, request }) => {
        const batch = batchOf(signal, withFewKeys(request));
        const before = groupsOf(signal, applied({ name: "", apply: (one) => one }, batch));
        const wanted = before.map(({ resource, scopes, ...group }) => ({
          ...group,
          resource: withRules(resource ?? {}),
          scopes: scopes.map(({ scope, leaves, ...rest }) => ({
            ...rest,
            scope: withRules(scope ?? {}),
            ...(leaves && { leaves: leaves.map((leaf) => leafWithRules(signal, leaf)) }),
          })),
        }));
        deepStrictEqual(groupsOf(signal, applied(step, batch)), wanted);
      }),
      fuzz(500),
    );
  });

  it("gives the same batch back when all is set already", async () => {
    const step = await openStep("set", { span: { "url.scheme": "http", none: { delete: true } } });
    const batch = sampleBatch("traces");
    expect(step.apply(batch)).toBe(batch);
    const logs = sampleBatch("logs");
    expect(step.apply(logs)).toBe(logs);
    const once = (await openStep("set", { log: { a: 1 } })).apply(logs);
    expect((await openStep("set", { log: { a: 1 } })).apply(once)).toBe(once);
  });

  it.each<[object, AttributeValue | undefined]>([
    ["prod" as unknown as object, "prod"],
    [{ value: 1.5 }, 1.5],
    [{ value: false }, false],
    [{ expression: 'resource.attributes["service.name"] + "-team"' }, "shop-team"],
    [{ expression: 'span.attributes["server.port"] + 1' }, 8081],
    [{ expression: "span.name.size() * 2" }, 26],
    [{ expression: "[1, 'a', true, [2.5]]" }, [1, "a", true, [2.5]]],
    [{ expression: "duration < duration('1h')" }, true],
    [{ expression: "string(span.start_time)" }, "2026-09-21T14:13:20Z"],
    [{ expression: "2u" }, 2],
    [{ value: "x", if: "span.kind == SPAN_KIND_SERVER" }, "x"],
    [{ value: "x", if: "span.kind == SPAN_KIND_CLIENT" }, undefined],
    [{ expression: 'span.attributes["none"]' }, undefined],
    [{ expression: 'span.attributes["none"] + "-team"' }, undefined],
  ])("sets what %j comes to", async (rule, value) => {
    const step = await openStep("set", { span: { made: rule } });
    const [group] = groupsOf("traces", applied(step, sampleBatch("traces", { items: 1 })));
    const found = findAttribute(group?.scopes[0]?.leaves?.[0]?.attributes, "made");
    expect(found).toEqual(value === undefined ? undefined : attributes({ value })[0]?.value);
    expect(step.told).toEqual([]);
  });

  it("writes maps, bytes and what other attributes hold", async () => {
    const value: AnyValue = {
      kvlistValue: { values: [{ key: "a", value: { bytesValue: "AQI=" } }] },
    };
    const log = {
      attributes: [
        { key: "from", value },
        { key: "b", value: {} },
      ],
    };
    const batch = batchOf("logs", { resourceLogs: [{ scopeLogs: [{ logRecords: [log] }] }] });
    const step = await openStep("set", {
      log: {
        copy: { expression: "log.attributes.from" },
        made: { expression: "{'x': b'\\x01', 'y': [null]}" },
      },
    });
    const [group] = groupsOf("logs", applied(step, batch));
    const left = group?.scopes[0]?.leaves?.[0]?.attributes;
    expect(findAttribute(left, "copy")).toEqual(value);
    expect(findAttribute(left, "made")).toEqual({
      kvlistValue: {
        values: [
          { key: "x", value: { bytesValue: "AQ==" } },
          { key: "y", value: { arrayValue: { values: [{}] } } },
        ],
      },
    });
  });

  it.each([
    ["1 / size(span.links)", "a division by zero"],
    ["duration", "google.protobuf.Duration as an attribute; use string()"],
    ["{1: 2}", "int as a key of a map"],
    ["18446744073709551615u", "an int out of range"],
    [`${"[".repeat(18)}1${"]".repeat(18)}`, "lists or maps nested too deeply for an attribute"],
  ])(
    "leaves an attribute as it was where %s has no value, and tells",
    async (expression, words) => {
      const step = await openStep("set", { span: { "url.scheme": { expression } } });
      const batch = sampleBatch("traces");
      expect(step.apply(batch)).toBe(batch);
      expect(step.told).toEqual([`step tested: ${words}; the attribute is left as it was`]);
    },
  );

  it("lets its expressions read what came, not what it sets", async () => {
    const step = await openStep("set", {
      resource: { "service.name": "other" },
      span: {
        a: { expression: 'resource.attributes["service.name"]' },
        "http.route": { delete: true },
        b: { expression: 'span.attributes["http.route"]' },
      },
    });
    const [group] = groupsOf("traces", applied(step, sampleBatch("traces", { items: 1 })));
    const { attributes: left } = group?.scopes[0]?.leaves?.[0] ?? {};
    expect(findAttribute(group?.resource?.attributes, "service.name")?.stringValue).toBe("other");
    expect(findAttribute(left, "a")?.stringValue).toBe("shop");
    expect(findAttribute(left, "b")?.stringValue).toBe("/products");
    expect(findAttribute(left, "http.route")).toBeUndefined();
  });

  it("sets on the last of several resources, which is the one that counts", async () => {
    const one = (env: string): Uint8Array => {
      const resource = encodeMessage("Resource", { attributes: attributes({ env }) });
      return Buffer.concat([Uint8Array.of(0x0a, resource.length), resource]);
    };
    const content = Buffer.concat([one("a"), Uint8Array.of(0x12, 0), one("b"), one("c")]);
    const bytes = Buffer.concat([Uint8Array.of(0x0a, content.length), content]);
    const step = await openStep("set", { resource: { env: "longer" } });
    const left = step.apply({ signal: "traces", bytes, items: 0 });
    const now = Buffer.concat([one("a"), Uint8Array.of(0x12, 0), one("b"), one("longer")]);
    expect(Buffer.from(left.bytes)).toEqual(Buffer.concat([Uint8Array.of(0x0a, now.length), now]));
  });

  it("makes lengths longer and shorter as they must be", async () => {
    for (const size of [0, 90, 100, 127, 128, 16_250, 16_300, 16_384, 70_000]) {
      const step = await openStep("set", {
        resource: { x: { expression: `'${"y".repeat(99)}'` } },
      });
      const request = {
        resourceSpans: [
          {
            resource: { attributes: attributes({ x: "z".repeat(size) }) },
            scopeSpans: [{ spans: [{}] }],
          },
        ],
      };
      const [group] = groupsOf("traces", applied(step, batchOf("traces", request)));
      expect(group?.resource?.attributes).toEqual(attributes({ x: "y".repeat(99) }));
    }
  });
});

/** So that the rules have something to meet, and keys stand there twice. */
function withFewKeys(request: Request): Request {
  const keys = ["new", "a.b", "gone", "other", ""];
  const text = JSON.stringify(request, (name, value: unknown) =>
    name === "key" && typeof value === "string" ? keys[value.length % keys.length] : value,
  );
  return JSON.parse(text) as Request; // as it was but for the keys
}

function leafWithRules(signal: Signal, leaf: object): object {
  if (signal !== "metrics") return withRules(leaf);
  return Object.fromEntries(
    Object.entries(leaf).map(([name, data]: [string, unknown]) => {
      const points = (data as { dataPoints?: object[] } | undefined)?.dataPoints;
      if (!Array.isArray(points)) return [name, data];
      return [name, { ...(data as object), dataPoints: points.map((point) => withRules(point)) }];
    }),
  );
}

/** What the rules of the property test are to do. */
function withRules<Owner extends { attributes?: KeyValue[] }>(owner: Owner): Owner {
  const set: KeyValue[] = [
    { key: "new", value: { stringValue: "x" } },
    { key: "a.b", value: { intValue: "7" } },
  ];
  const done = new Set<KeyValue>();
  const kept = (owner.attributes ?? []).flatMap((pair) => {
    // An attribute whose key is left out altogether is none that anybody named.
    const rule = set.find(({ key }) => key === pair.key);
    if (pair.key === "gone") return [];
    if (!rule) return [pair];
    if (done.has(rule)) return [];
    done.add(rule);
    return [rule];
  });
  return { ...owner, attributes: [...kept, ...set.filter((rule) => !done.has(rule))] };
}
