import { describe, expect, test } from "vitest";
import { JsonError } from "../../../collector/wire/from-json.ts";
import { logRecordFromJson, metricFromJson, spanFromJson } from "../../support/otlp-json.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

describe("ids", () => {
  test.each([
    [`{"traceId":"${traceId}"}`, { traceId }],
    [`{"traceId":"${traceId.toUpperCase()}"}`, { traceId }],
    [`{"spanId":"00f067aa0ba902b7"}`, { spanId: "00f067aa0ba902b7" }],
    [`{"traceId":"","parentSpanId":""}`, {}],
    [`{"traceId":null}`, {}],
  ])("%s", (json, expected) => {
    expect(spanFromJson(json)).toEqual(expected);
  });

  test.each([
    ["traceId", `"xyz"`, `"xyz" is not a hex id of 16 bytes`],
    ["traceId", `"${traceId}00"`, "is not a hex id of 16 bytes"],
    ["traceId", `"${traceId.slice(1)}"`, "is not a hex id of 16 bytes"],
    ["traceId", `"${traceId.slice(1)}g"`, "is not a hex id of 16 bytes"],
    ["traceId", `"S/kvNXezTaajzpKdDg5HNg=="`, "is not a hex id of 16 bytes"],
    ["spanId", `"${traceId}"`, "is not a hex id of 8 bytes"],
    ["spanId", "12", "12 is not a hex id of 8 bytes"],
  ])("%s %s is refused", (name, value, why) => {
    expect(() => spanFromJson(`{"${name}":${value}}`)).toThrow(`spans[0].${name}: `);
    expect(() => spanFromJson(`{"${name}":${value}}`)).toThrow(why);
  });
});

describe("64-bit integers", () => {
  const largest = "18446744073709551615";
  test.each([
    [`"1790000000000000001"`, "1790000000000000001"],
    ["1790000000000000001", "1790000000000000001"],
    [largest, largest],
    [`"${largest}"`, largest],
    ["9007199254740993", "9007199254740993"],
    ["9007199254740993.0", "9007199254740993"],
    ["9.007199254740993e15", "9007199254740993"],
    ["1e3", "1000"],
    ["1.0", "1"],
    [`"1.0"`, "1"],
    [`"1.5e1"`, "15"],
    ["1e19", "10000000000000000000"],
    [`"1.${"0".repeat(100)}e2"`, "100"],
    ["1000000000000000000000e-2", "10000000000000000000"],
    [`"0"`, undefined],
    ["0", undefined],
    ["-0", undefined],
    [`"0e99999"`, undefined],
    ["null", undefined],
  ])("fixed64 %s", (value, startTimeUnixNano) => {
    expect(spanFromJson(`{"startTimeUnixNano":${value}}`)?.startTimeUnixNano).toBe(
      startTimeUnixNano,
    );
  });

  test.each([
    "18446744073709551616",
    `"18446744073709551616"`,
    "-1",
    `"-1"`,
    "1.5",
    `"1.5"`,
    "9007199254740993.5",
    "1e20",
    "1e400",
    `"1e999999999"`,
    `""`,
    `" 1"`,
    `"+1"`,
    `"01"`,
    `"0x10"`,
    `"1n"`,
    `"NaN"`,
    "true",
    "{}",
    "[1]",
  ])("fixed64 %s is refused", (value) => {
    expect(() => spanFromJson(`{"startTimeUnixNano":${value}}`)).toThrow(
      /spans\[0\]\.startTimeUnixNano: .* is not an integer from 0 to 18446744073709551615$/,
    );
  });

  test.each([
    ["-9223372036854775808", "-9223372036854775808"],
    [`"-9223372036854775808"`, "-9223372036854775808"],
    ["9223372036854775807", "9223372036854775807"],
    [`"9223372036854775807"`, "9223372036854775807"],
    ["-1", "-1"],
    ["0", "0"],
    [`"-0"`, "0"],
  ])("int64 %s", (value, intValue) => {
    expect(logRecordFromJson(`{"body":{"intValue":${value}}}`)?.body).toEqual({ intValue });
  });

  test.each(["9223372036854775808", `"9223372036854775808"`, `"-9223372036854775809"`])(
    "int64 %s is refused",
    (value) => {
      expect(() => logRecordFromJson(`{"body":{"intValue":${value}}}`)).toThrow(JsonError);
    },
  );

  test("sfixed64 and lists of them are exact too", () => {
    const point = `{"asInt":-9223372036854775807}`;
    expect(metricFromJson(`{"gauge":{"dataPoints":[${point}]}}`)?.gauge?.dataPoints).toEqual([
      { asInt: "-9223372036854775807" },
    ]);
    const counts = `[1,"2",${largest}]`;
    expect(
      metricFromJson(`{"histogram":{"dataPoints":[{"bucketCounts":${counts}}]}}`)?.histogram
        ?.dataPoints,
    ).toEqual([{ bucketCounts: ["1", "2", largest] }]);
    const buckets = `{"positive":{"offset":-3,"bucketCounts":${counts}}}`;
    expect(
      metricFromJson(`{"exponentialHistogram":{"dataPoints":[${buckets}]}}`)?.exponentialHistogram
        ?.dataPoints,
    ).toEqual([{ positive: { offset: -3, bucketCounts: ["1", "2", largest] } }]);
  });

  test("a long list of digits is refused quickly", () => {
    const digits = "9".repeat(2_000_000);
    const began = performance.now();
    expect(() => spanFromJson(`{"startTimeUnixNano":${digits}}`)).toThrow(JsonError);
    expect(() => spanFromJson(`{"startTimeUnixNano":"${digits}"}`)).toThrow(JsonError);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

describe("32-bit integers and enums", () => {
  test.each([
    [`{"flags":4294967295}`, { flags: 4_294_967_295 }],
    [`{"flags":"257"}`, { flags: 257 }],
    [`{"droppedEventsCount":4294967295}`, { droppedEventsCount: 4_294_967_295 }],
    [`{"droppedEventsCount":1e3}`, { droppedEventsCount: 1000 }],
    [`{"kind":2}`, { kind: 2 }],
    [`{"kind":2.0}`, { kind: 2 }],
    [`{"kind":99}`, { kind: 99 }],
    [`{"kind":-1}`, { kind: -1 }],
    [`{"kind":0}`, {}],
  ])("%s", (json, expected) => {
    expect(spanFromJson(json)).toEqual(expected);
  });

  test.each([
    [`{"flags":4294967296}`, "4294967296 is not an integer from 0 to 4294967295"],
    [`{"flags":-1}`, "-1 is not an integer from 0 to 4294967295"],
    [`{"droppedEventsCount":4294967296}`, "is not an integer from 0 to 4294967295"],
    [`{"kind":2147483648}`, "is not an integer from -2147483648 to 2147483647"],
    [`{"kind":"SPAN_KIND_SERVER"}`, `"SPAN_KIND_SERVER" is not an enum's number`],
    [`{"kind":"2"}`, `"2" is not an enum's number`],
  ])("%s is refused", (json, why) => {
    expect(() => spanFromJson(json)).toThrow(why);
  });

  test("sint32 reaches both ends", () => {
    const points = `[{"scale":-2147483648},{"scale":2147483647}]`;
    const read = metricFromJson(`{"exponentialHistogram":{"dataPoints":${points}}}`);
    expect(read?.exponentialHistogram?.dataPoints).toEqual([
      { scale: -2_147_483_648 },
      { scale: 2_147_483_647 },
    ]);
  });
});

describe("doubles", () => {
  test.each([
    ["1.5", 1.5],
    ["-0", -0],
    ["1e3", 1000],
    [`"1.5"`, 1.5],
    [`"NaN"`, Number.NaN],
    [`"Infinity"`, Number.POSITIVE_INFINITY],
    [`"-Infinity"`, Number.NEGATIVE_INFINITY],
    ["0.30000000000000004", 0.300_000_000_000_000_04],
    ["9007199254740993", 9_007_199_254_740_992],
    ["5e-324", 5e-324],
    ["0", 0],
  ])("%s", (value, doubleValue) => {
    expect(logRecordFromJson(`{"body":{"doubleValue":${value}}}`)?.body).toEqual({ doubleValue });
  });

  test("a large one beside an integer that needs all its digits", () => {
    const values = `[{"doubleValue":9007199254740993},{"intValue":9007199254740993}]`;
    expect(
      logRecordFromJson(`{"body":{"arrayValue":{"values":${values}}}}`)?.body?.arrayValue,
    ).toEqual({
      values: [{ doubleValue: 9_007_199_254_740_992 }, { intValue: "9007199254740993" }],
    });
  });

  test.each(["1e400", `"1e400"`, `"nan"`, `"inf"`, `""`, `" 1"`, `"1,5"`, `".5"`, "true", "[]"])(
    "%s is refused",
    (value) => {
      expect(() => logRecordFromJson(`{"body":{"doubleValue":${value}}}`)).toThrow(
        "body.doubleValue: ",
      );
    },
  );
});

describe("strings, bools and bytes", () => {
  test.each([
    [`{"stringValue":"a\\u00e9\\ud83d\\ude00 \\u0000"}`, { stringValue: "aé😀 \0" }],
    [`{"stringValue":""}`, { stringValue: "" }],
    [`{"boolValue":false}`, { boolValue: false }],
    [`{"boolValue":true}`, { boolValue: true }],
    [`{"bytesValue":"+/8="}`, { bytesValue: "+/8=" }],
    [`{"bytesValue":"-_8"}`, { bytesValue: "+/8=" }],
    [`{"bytesValue":""}`, { bytesValue: "" }],
  ])("%s", (json, body) => {
    expect(logRecordFromJson(`{"body":${json}}`)?.body).toEqual(body);
  });

  test.each([
    [`{"stringValue":"\\ud800"}`, "lone surrogate"],
    [`{"stringValue":"\\ude00\\ud83d"}`, "lone surrogate"],
    [`{"stringValue":1}`, "1 is not a string"],
    [`{"boolValue":"true"}`, `"true" is not true or false`],
    [`{"boolValue":1}`, "1 is not true or false"],
    [`{"bytesValue":"a"}`, "is not base64"],
    [`{"bytesValue":"ab=c"}`, "is not base64"],
    [`{"bytesValue":"abc=="}`, "is not base64"],
    [`{"bytesValue":"a b="}`, "is not base64"],
    [`{"bytesValue":[1]}`, "a list is not base64"],
  ])("%s is refused", (json, why) => {
    expect(() => logRecordFromJson(`{"body":${json}}`)).toThrow(why);
  });
});

describe("presence", () => {
  test.each([
    [`{"body":null}`, {}],
    [`{"body":{}}`, { body: {} }],
    [`{"body":{"stringValue":null}}`, { body: {} }],
    [`{"body":{"stringValue":null,"intValue":0}}`, { body: { intValue: "0" } }],
    [
      `{"body":{"arrayValue":{"values":[null,{},{"intValue":1}]}}}`,
      { body: { arrayValue: { values: [{}, {}, { intValue: "1" }] } } },
    ],
    [`{"attributes":[{"key":"a","value":null}]}`, { attributes: [{ key: "a" }] }],
    [`{"attributes":[{"key":"a","value":{}}]}`, { attributes: [{ key: "a", value: {} }] }],
    [`{"attributes":[],"severityText":"","flags":0,"severityNumber":0}`, {}],
  ])("%s", (json, expected) => {
    expect(logRecordFromJson(json)).toEqual(expected);
  });

  test("optional numbers and the members of a oneof are kept when they are zero", () => {
    const histogram = metricFromJson(
      `{"histogram":{"dataPoints":[{"sum":0,"min":0,"max":0,"count":0}]}}`,
    );
    expect(histogram?.histogram?.dataPoints).toEqual([{ sum: 0, min: 0, max: 0 }]);
    const gauge = metricFromJson(`{"gauge":{"dataPoints":[{"asInt":0},{"asDouble":0},{}]}}`);
    expect(gauge?.gauge?.dataPoints).toEqual([{ asInt: "0" }, { asDouble: 0 }, {}]);
    const summary = metricFromJson(`{"summary":{"dataPoints":[{"sum":0}]}}`);
    expect(summary?.summary?.dataPoints).toEqual([{}]);
  });

  test.each([
    [`{"stringValue":"a","intValue":1}`, "intValue: stands beside stringValue"],
    [`{"arrayValue":{},"kvlistValue":{}}`, "kvlistValue: stands beside arrayValue"],
  ])("two members of a oneof are refused: %s", (json, why) => {
    expect(() => logRecordFromJson(`{"body":${json}}`)).toThrow(why);
  });
});
