import { deepStrictEqual } from "node:assert";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Signal } from "../../../collector/wire/batch.ts";
import { type FromJson, fromJson, JsonError } from "../../../collector/wire/from-json.ts";
import { mostFaults } from "../../../collector/wire/salvage.ts";
import { toJson } from "../../../collector/wire/to-json.ts";
import { describeProblem, validate } from "../../../collector/wire/validate.ts";
import { anyRequest, anySignal, damaged, fuzz, jsonOf } from "../../support/otlp-arbitrary.ts";
import {
  bytesFromJson,
  logRecordFromJson,
  metricFromJson,
  requestFromJson,
  spanFromJson,
} from "../../support/otlp-json.ts";
import {
  decodeRequest,
  encodeRequest,
  type ResourceSpans,
  sampleRequest,
} from "../../support/otlp.ts";

test("any request becomes what protobufjs encodes", () => {
  fc.assert(
    fc.property(anyRequest, ({ signal, request }) => {
      const made = bytesFromJson(signal, jsonOf(request));
      deepStrictEqual(
        decodeRequest(signal, made),
        decodeRequest(signal, encodeRequest(signal, request)),
      );
      expectValid(signal, made);
    }),
    fuzz(200),
  );
});

test("what toJson wrote is read back to the same request", () => {
  fc.assert(
    fc.property(anyRequest, ({ signal, request }) => {
      const bytes = encodeRequest(signal, request);
      const made = bytesFromJson(signal, toJson(signal, bytes));
      deepStrictEqual(decodeRequest(signal, made), decodeRequest(signal, bytes));
    }),
    fuzz(200),
  );
});

test("damaged JSON is refused with a JsonError or taken as something valid", () => {
  const sample = anySignal.map((signal) => JSON.stringify(sampleRequest(signal, { items: 2 })));
  const some = anyRequest.map(({ request }) => jsonOf(request));
  const text = fc.oneof(sample, some).map((json) => Buffer.from(json));
  let taken = 0;
  let refused = 0;
  fc.assert(
    fc.property(anySignal, damaged(text), (signal, text) => {
      const began = performance.now();
      if (tryFromJson(signal, text)) taken++;
      else refused++;
      expect(performance.now() - began).toBeLessThan(1000);
    }),
    fuzz(1000),
  );
  expect(taken).toBeGreaterThan(20);
  expect(refused).toBeGreaterThan(300);
});

test("a value of any type in any place is refused with a JsonError or taken as something valid", () => {
  const request = fc.tuple(anySignal, fc.nat({ max: 2 ** 31 }), fc.jsonValue({ maxDepth: 3 }));
  fc.assert(
    fc.property(request, ([signal, place, value]) => {
      const sample: unknown = sampleRequest(signal, { items: 3 });
      replaceAt(sample, place, value);
      tryFromJson(signal, Buffer.from(JSON.stringify(sample)));
    }),
    fuzz(1000),
  );
});

test("bytes of any kind are refused with a JsonError", () => {
  fc.assert(
    fc.property(anySignal, fc.uint8Array({ maxLength: 40 }), (signal, bytes) => {
      tryFromJson(signal, bytes);
    }),
    fuzz(1000),
  );
});

/** True if it was taken, false if it was refused as it should be; anything else fails. */
function tryFromJson(signal: Signal, text: Uint8Array): boolean {
  let made: FromJson;
  try {
    made = fromJson(signal, text);
  } catch (error) {
    expect(error).toBeInstanceOf(JsonError);
    expect((error as JsonError).message.length).toBeLessThan(400);
    return false;
  }
  expectValid(signal, made.bytes);
  expect(made.leftOut?.message.length ?? 0).toBeLessThan(400);
  return true;
}

function expectValid(signal: Signal, bytes: Uint8Array): void {
  const validation = validate(signal, bytes);
  if (validation.kind === "invalid") throw new Error(describeProblem(validation.problem));
}

/** Puts a value into the tree, at a place that the number chooses. */
function replaceAt(tree: unknown, place: number, value: unknown): void {
  const places: [Record<string, unknown>, string][] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    for (const key of Object.keys(node)) {
      places.push([node as Record<string, unknown>, key]);
      visit((node as Record<string, unknown>)[key]);
    }
  };
  visit(tree);
  const [node, key] = places[place % places.length]!;
  node[key] = value;
}

describe("objects", () => {
  test.each([
    ["{}", {}],
    [` \n{"resourceLogs" : [ ] }\t`, {}],
    [`{"resourceLogs":null}`, {}],
    [`{"resourceLogs":[{}]}`, { resourceLogs: [{}] }],
    [`{"resource_logs":[1],"ResourceLogs":2,"unknown":{"deep":[[[1]]]}}`, {}],
    [`{"__proto__":{"resourceLogs":[{}]},"constructor":1,"toString":[]}`, {}],
    [`{"resourceLogs":[{}],"resourceLogs":[]}`, {}],
  ])("%s", (json, expected) => {
    expect(requestFromJson("logs", json)).toEqual(expected);
  });

  test("a key called __proto__ changes no prototype", () => {
    const big = `"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":1790000000000000001}]}]}]`;
    requestFromJson(
      "logs",
      `{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},${big}}`,
    );
    expect("polluted" in {}).toBe(false);
  });

  test.each([
    ["", "not JSON"],
    ["{", "not JSON"],
    ["{}{}", "not JSON"],
    ["{'a':1}", "not JSON"],
    [`{"resourceLogs":[{}],}`, "not JSON"],
    ["NaN", "not JSON"],
    ["\ufeff{}", "not JSON"],
    ["null", "null is not an object"],
    ["[]", "a list is not an object"],
    [`"text"`, `"text" is not an object`],
    [`{"resourceLogs":{}}`, "resourceLogs: an object is not a list"],
    [`{"resourceLogs":[null]}`, "resourceLogs[0]: null is not an object"],
    [`{"resourceLogs":[{},{"scopeLogs":[3]}]}`, "resourceLogs[1].scopeLogs[0]: 3 is not an object"],
  ])("%s is refused", (json, why) => {
    expect(() => requestFromJson("logs", json)).toThrow(why);
    expect(() => requestFromJson("logs", json)).toThrow(JsonError);
  });

  test("the body must be UTF-8", () => {
    const json = Buffer.from(`{"resourceLogs":[{"schemaUrl":"\xff"}]}`, "latin1");
    expect(() => fromJson("logs", json)).toThrow("not valid UTF-8");
  });
});

describe("what the sender is told", () => {
  test("the whole path", () => {
    const spans = `[{},{},{},{"traceId":"xyz"}]`;
    const json = `{"resourceSpans":[{"scopeSpans":[{"spans":${spans}}]}]}`;
    expect(() => requestFromJson("traces", json)).toThrow(
      new JsonError(
        `resourceSpans[0].scopeSpans[0].spans[3].traceId: "xyz" is not a hex id of 16 bytes`,
      ),
    );
    const counts = `{"histogram":{"dataPoints":[{"bucketCounts":["1",true]}]}}`;
    expect(() => metricFromJson(counts)).toThrow(
      "dataPoints[0].bucketCounts[1]: true is not an integer",
    );
  });

  test("of a long value the beginning, and no control characters", () => {
    expect(refuse(`{"traceId":"${"x".repeat(100_000)}"}`)).toContain(`"${"x".repeat(59)}…" is not`);
    expect(refuse(`{"traceId":"\\u001b[2J\u009b\u202e"}`)).toContain(
      String.raw`"\u001b[2J\u009b\u202e" is not`,
    );
    expect(refuse(`{"traceId":\u009b}`)).toContain("\\u009b");
  });
});

describe("what cannot be taken is left out", () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const textOf = (...spans: readonly string[]): Buffer =>
    Buffer.from(`{"resourceSpans":[{},{"scopeSpans":[{"spans":[${spans.join(",")}]}]}]}`);
  const convert = (...spans: readonly string[]): { spans: unknown; leftOut: unknown } => {
    const { bytes, leftOut } = fromJson("traces", textOf(...spans));
    const { resourceSpans } = decodeRequest("traces", bytes) as { resourceSpans: ResourceSpans[] };
    return { spans: resourceSpans[1]?.scopeSpans?.[0]?.spans, leftOut };
  };

  test("with all that had been written of it", () => {
    const attribute = (value: string): string => `{"key":"k","value":{"stringValue":${value}}}`;
    const long = attribute(`"${"x".repeat(500)}"`);
    const broken = `{"name":"broken","attributes":[${long},${attribute("1")}]}`;
    expect(convert(`{"name":"a"}`, broken, "null", `{"name":"b"}`)).toEqual({
      spans: [{ name: "a" }, { name: "b" }],
      leftOut: {
        items: 2,
        message:
          "resourceSpans[1].scopeSpans[0].spans[1].attributes[1].value.stringValue: 1 is not a string",
      },
    });
  });

  test("whatever of it is wrong", () => {
    for (const broken of [
      `{"startTimeUnixNano":-1}`,
      `{"startTimeUnixNano":1e400}`,
      `{"attributes":{}}`,
      `{"links":[{"spanId":"xyz"}]}`,
      `{"attributes":[{"value":{"intValue":1,"boolValue":true}}]}`,
      `{"attributes":[{"value":${lists(31)}}]}`,
      `{"name":"\\ud800"}`,
      `"text"`,
      "[]",
    ]) {
      expect(convert(broken, "{}"), broken).toMatchObject({ spans: [{}], leftOut: { items: 1 } });
    }
  });

  test("integers that are read again to be exact are no fault, and faults beside them stay", () => {
    const start = "1790000000000000001";
    const exact = `{"startTimeUnixNano":${start}}`;
    expect(convert(`{"kind":0.5}`, exact, `{"endTimeUnixNano":1e400}`)).toEqual({
      spans: [{ startTimeUnixNano: start }],
      leftOut: { items: 2, message: expect.stringContaining("spans[0].kind: 0.5 is not") },
    });
    expect(convert(exact, exact).leftOut).toBeUndefined();
  });

  test("a metric with its data points", () => {
    const convert = (data: string): number | undefined => {
      const metrics = `[{"gauge":{"dataPoints":[{}]}},${data}]`;
      const text = `{"resourceMetrics":[{"scopeMetrics":[{"metrics":${metrics}}]}]}`;
      return fromJson("metrics", Buffer.from(text)).leftOut?.items;
    };
    expect(convert(`{"sum":{"dataPoints":[{},{"asInt":"x"},null]}}`)).toBe(3);
    expect(convert(`{"name":1,"histogram":{"dataPoints":[{},{}]}}`)).toBe(2);
    expect(convert(`{"gauge":{"dataPoints":[{}]},"sum":{"dataPoints":[{},{}]}}`)).toBe(3);
    expect(convert(`{"name":1}`)).toBe(1);
    expect(convert(`{"gauge":[{"dataPoints":[{},{}]}]}`)).toBe(1);
  });

  test("but not if nothing is sound, nor if very many are not", () => {
    expect(() => convert(`{"name":1}`, `{"name":2}`)).toThrow("spans[0].name: 1 is not a string");
    const many = (count: number): string[] => Array<string>(count).fill(`{"traceId":"0"}`);
    expect(convert("{}", ...many(mostFaults)).leftOut).toMatchObject({ items: mostFaults });
    expect(() => convert("{}", ...many(mostFaults + 1))).toThrow(
      new JsonError(
        `resourceSpans[1].scopeSpans[0].spans[1].traceId: "0" is not a hex id of 16 bytes`,
      ),
    );
  });

  test("nor if it is around them that something is wrong", () => {
    const spans = `"spans":[{"traceId":"${traceId}"},{"name":1}]`;
    for (const text of [
      `{"resourceSpans":[{"scopeSpans":[{${spans},"scope":{"name":2}}]}]}`,
      `{"resourceSpans":[{"scopeSpans":[{${spans}}],"resource":{"attributes":[2]}}]}`,
      `{"resourceSpans":[{"scopeSpans":[{${spans},"schemaUrl":2}]}]}`,
      `{"resourceSpans":[{"scopeSpans":[{${spans}},2]}]}`,
      `{"resourceSpans":[{"scopeSpans":[{${spans}}]},2]}`,
    ]) {
      expect(() => fromJson("traces", Buffer.from(text)), text).toThrow(": 2 is not");
    }
  });
});

describe("depth", () => {
  test("64 messages within one another are taken, and validate agrees; 65 are not", () => {
    // Around the lists: request, resource, scope, record, attribute and value; each list adds two.
    const taken = `{"attributes":[{"value":${lists(29)}}]}`;
    const body = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${taken}]}]}]}`;
    expectValid("logs", bytesFromJson("logs", body));
    expect(() => logRecordFromJson(`{"body":${lists(30)}}`)).toThrow(
      "nested deeper than 64 messages",
    );
  });

  test("brackets without end are refused before they are parsed", () => {
    for (const bracket of ["[", `{"a":`]) {
      const json = Buffer.from(bracket.repeat(1_000_000));
      const began = performance.now();
      expect(() => fromJson("logs", json)).toThrow("nested deeper than 128 brackets");
      expect(performance.now() - began).toBeLessThan(1000);
    }
  });

  test("brackets within strings do not count", () => {
    const text = `${"[".repeat(1000)}\\"${"{".repeat(1000)}\\\\`;
    expect(logRecordFromJson(`{"body":{"stringValue":"${text}"}}`)?.body?.stringValue).toHaveLength(
      2002,
    );
  });
});

function refuse(json: string): string {
  try {
    spanFromJson(json);
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

function lists(count: number): string {
  return `${`{"arrayValue":{"values":[`.repeat(count)}{}${"]}}".repeat(count)}`;
}
