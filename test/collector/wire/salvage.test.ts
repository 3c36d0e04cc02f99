import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { signals } from "../../../collector/wire/batch.ts";
import { mostFaults, salvage } from "../../../collector/wire/salvage.ts";
import { validate } from "../../../collector/wire/validate.ts";
import { decodeRequest, encodeRequest, type Span } from "../../support/otlp.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";
const sound = (name: string): Span => ({ traceId, spanId, name });
/** protobufjs writes any length. */
const damaged = (name: string): Span => ({ traceId: "0102", spanId, name });

const requestOf = (...scopes: Span[][]): Uint8Array =>
  encodeRequest("traces", {
    resourceSpans: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: "shop" } }] },
        scopeSpans: scopes.map((spans, index) => ({ scope: { name: `scope ${index}` }, spans })),
        schemaUrl: "https://opentelemetry.io/schemas/1.38.0",
      },
    ],
  });

test("invalid spans are left out, everything else stays as it was", () => {
  const bytes = requestOf([sound("a"), damaged("b"), sound("c")], [damaged("d")], [sound("e")]);
  expect(validate("traces", bytes).kind).toBe("invalid");
  const left = salvage("traces", bytes);
  expect(left?.rejectedItems).toBe(2);
  expect(left?.batch.items).toBe(3);
  expect(decodeRequest("traces", left!.batch.bytes)).toEqual(
    decodeRequest("traces", requestOf([sound("a"), sound("c")], [], [sound("e")])),
  );
});

test("the problem is that of the first one", () => {
  const left = salvage("traces", requestOf([sound("a"), damaged("b"), damaged("c")]));
  expect(left?.problem).toMatchObject({
    path: "resource_spans[0].scope_spans[0].spans[1].trace_id",
    why: "a trace id of 2 bytes; it must have 16",
  });
});

test("nothing is saved where nothing is sound", () => {
  expect(salvage("traces", requestOf([damaged("a")], [damaged("b")]))).toBeUndefined();
});

describe("what is wrong around the items is for the sender to mend", () => {
  test.each([
    ["the resource", [0x0a, 0x04, 0x0a, 0x02, 0x0a, 0xff]],
    ["the frame of a scope", [0x0a, 0x03, 0x12, 0x7f, 0x00]],
    ["the request", [0x0a, 0x7f]],
  ])("%s", (_, wrong) => {
    const bytes = Buffer.concat([requestOf([sound("a"), damaged("b")]), Buffer.from(wrong)]);
    expect(salvage("traces", bytes)).toBeUndefined();
  });
});

test("of metrics, the points of the metric that is left out are counted", () => {
  const points = [{ asInt: "1" }, { asInt: "2" }];
  const good = { name: "good", gauge: { dataPoints: points } };
  const worse = { asInt: "3", exemplars: [{ asInt: "1", traceId: "0102" }] };
  for (const dataPoints of [
    [...points, worse],
    [worse, ...points],
    [worse, worse, worse],
  ]) {
    const bad = { name: "bad", gauge: { dataPoints } };
    const bytes = encodeRequest("metrics", {
      resourceMetrics: [{ scopeMetrics: [{ metrics: [good, bad] }] }],
    });
    expect(salvage("metrics", bytes)).toMatchObject({ batch: { items: 2 }, rejectedItems: 3 });
  }
});

test("who sends very many invalid items gets nothing saved", () => {
  const many = (count: number): Uint8Array =>
    requestOf([sound("a"), ...Array.from({ length: count }, () => damaged("b"))]);
  expect(salvage("traces", many(mostFaults))?.batch.items).toBe(1);
  expect(salvage("traces", many(mostFaults + 1))).toBeUndefined();
});

test("whatever was done to the bytes, what is saved is valid and its items are as many as it says", () => {
  let saved = 0;
  const mutation = fc.tuple(fc.nat(), fc.nat({ max: 255 }));
  const bytes = Buffer.from(requestOf([sound("a"), sound("b")], [sound("c"), sound("d")]));
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), (mutations) => {
      const mutated = Buffer.from(bytes);
      for (const [at, value] of mutations) mutated[at % mutated.length] = value;
      for (const signal of signals) {
        if (validate(signal, mutated).kind === "valid") continue;
        const left = salvage(signal, mutated);
        if (!left) continue;
        saved++;
        const again = validate(signal, left.batch.bytes);
        expect(again).toMatchObject({ kind: "valid", batch: { items: left.batch.items } });
        expect(left.rejectedItems).toBeGreaterThan(0);
      }
    }),
    { numRuns: 5_000 },
  );
  expect(saved).toBeGreaterThan(100);
});
