import { deepStrictEqual } from "node:assert";
import { expect, test } from "vitest";
import { joinParts } from "../../../collector/wire/join-parts.ts";
import { Leaves } from "../../../collector/wire/leaves.ts";
import { salvage } from "../../../collector/wire/salvage.ts";
import { validate } from "../../../collector/wire/validate.ts";
import { attributes, decodeRequest, encodeMessage, sampleBatch } from "../../support/otlp.ts";

const field = (number: number, ...content: readonly Uint8Array[]): Buffer => {
  const bytes = Buffer.concat(content);
  return Buffer.concat([Uint8Array.of(number * 8 + 2, bytes.length), bytes]); // below 128 bytes
};
const resource = (env: string, droppedAttributesCount = 0): Uint8Array =>
  field(1, encodeMessage("Resource", { attributes: attributes({ env }), droppedAttributesCount }));
const scope = (name: string, version = ""): Uint8Array =>
  field(1, encodeMessage("InstrumentationScope", { name, version }));
const span = (name: string): Uint8Array => field(2, field(5, Buffer.from(name)));
const unknown = field(15, Buffer.from("?"));

const parted = Buffer.concat([
  field(1, resource("only"), field(2, scope("only"), span("a"))),
  unknown,
  field(
    1,
    resource("a", 1),
    unknown,
    field(2, scope("first", "1"), span("b"), unknown, scope("second"), span("c")),
    resource("b", 2),
    field(2, span("d")),
    resource("c"),
  ),
]);

test("parts of a resource and of a scope become one, everything else stays as it was", () => {
  const { batch } = validOf(parted);
  deepStrictEqual(decodeRequest("traces", batch.bytes), decodeRequest("traces", parted));
  const joined = field(
    1,
    resource("a", 1).subarray(2),
    resource("b", 2).subarray(2),
    resource("c").subarray(2),
  );
  expect(batch.bytes).toEqual(
    Buffer.concat([
      parted.subarray(0, parted.indexOf(unknown) + unknown.length),
      field(
        1,
        joined,
        unknown,
        field(
          2,
          field(1, scope("first", "1").subarray(2), scope("second").subarray(2)),
          span("b"),
          unknown,
          span("c"),
        ),
        field(2, span("d")),
      ),
    ]),
  );
  expect(batch.items).toBe(4);
});

test("so every leaf has the whole of what describes it", () => {
  const leaves = new Leaves(validOf(parted).batch);
  const sizes: number[] = [];
  while (leaves.next()) sizes.push(leaves.resource.end - leaves.resource.start);
  const whole = ["a", "b", "c"].reduce((sum, env, at) => {
    return sum + resource(env, [1, 2, 0][at]).length - 2;
  }, 0);
  expect(sizes).toEqual([resource("only").length - 2, whole, whole, whole]);
});

test("what is joined needs no joining, and what is in one part is given back as it is", () => {
  const { bytes } = validOf(parted).batch;
  expect(validOf(bytes).batch.bytes).toBe(bytes);
  expect(Buffer.from(joinParts(bytes))).toEqual(bytes);
  const usual = sampleBatch("logs").bytes;
  const result = validate("logs", usual);
  expect(result.kind === "valid" && result.batch.bytes).toBe(usual);
});

test("parts are joined in what is left of a request too", () => {
  const broken = field(2, field(1, Buffer.from("no trace id")));
  const scopes = field(2, span("a"), broken);
  const left = salvage("traces", field(1, resource("a"), scopes, resource("b")));
  expect(left?.batch).toEqual(
    validOf(field(1, resource("a"), field(2, span("a")), resource("b"))).batch,
  );
});

function validOf(bytes: Uint8Array) {
  const result = validate("traces", bytes);
  if (result.kind === "invalid") throw new Error(result.problem.why);
  return result;
}
