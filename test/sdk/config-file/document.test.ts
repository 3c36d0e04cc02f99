import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { head, read } from "../support/config-file.ts";

describe("variables in a file", () => {
  // The specification's own table.
  const environment = {
    STRING_VALUE: "value",
    BOOL_VALUE: "true",
    INT_VALUE: "1",
    FLOAT_VALUE: "1.1",
    HEX_VALUE: "0xdeadbeef",
    INVALID_MAP_VALUE: "value\nkey:value",
    DO_NOT_REPLACE_ME: "Never use this value",
    REPLACE_ME: "${DO_NOT_REPLACE_ME}",
    VALUE_WITH_ESCAPE: "value$$",
  };
  test.each([
    ["${STRING_VALUE}", "value"],
    ["${BOOL_VALUE}", true],
    ["${INT_VALUE}", 1],
    ["${FLOAT_VALUE}", 1.1],
    ["${HEX_VALUE}", 3_735_928_559],
    ['"${STRING_VALUE}"', "value"],
    ['"${BOOL_VALUE}"', "true"],
    ['"${INT_VALUE}"', "1"],
    ["${env:STRING_VALUE}", "value"],
    ["${INVALID_MAP_VALUE}", "value\nkey:value"],
    ["foo ${STRING_VALUE} ${FLOAT_VALUE}", "foo value 1.1"],
    ["${UNDEFINED_KEY}", undefined],
    ["${UNDEFINED_KEY:-fallback}", "fallback"],
    ["${REPLACE_ME}", "${DO_NOT_REPLACE_ME}"],
    ["${UNDEFINED_KEY:-${STRING_VALUE}}", "${STRING_VALUE}"],
    ["$${STRING_VALUE}", "${STRING_VALUE}"],
    ["$$${STRING_VALUE}", "$value"],
    ["$$$${STRING_VALUE}", "$${STRING_VALUE}"],
    ["$${STRING_VALUE:-fallback}", "${STRING_VALUE:-fallback}"],
    ["$${STRING_VALUE:-${STRING_VALUE}}", "${STRING_VALUE:-value}"],
    ["${UNDEFINED_KEY:-$${UNDEFINED_KEY}}", "${UNDEFINED_KEY:-${UNDEFINED_KEY}}"],
    ["${VALUE_WITH_ESCAPE}", "value$$"],
    ["a $$ b", "a $ b"],
    ["a $ b", "a $ b"],
  ])("%s is %j", (text, value) => {
    const type = { number: "double", boolean: "bool" }[typeof value as string] ?? "string";
    const { settings, complaints } = read(
      `${head}resource:\n  attributes:\n    - name: key\n      type: ${type}\n      value: ${text}\n`,
      environment,
    );
    expect(complaints).toEqual([]);
    expect(settings.resourceAttributes["key"]).toEqual(value);
  });

  test("in quotes are text whatever they hold", () => {
    const { complaints } = read(`${head}disabled: "\${BOOL_VALUE}"\n`, environment);
    expect(complaints[0]).toContain('otel.yaml:2 disabled: "true" is neither true nor false');
  });

  test("are not looked for in keys", () => {
    const { complaints } = read(`${head}\${STRING_VALUE}: x\n`, environment);
    expect(complaints).toEqual([
      "otel.yaml:2 ${STRING_VALUE}: there is no such key; the SDK is off until this is mended",
    ]);
  });

  test.each(["${STRING_VALUE:?error}", "${1A}", "${}", "${sys:x}", "a ${A B}"])(
    "%s is a mistake, and has a place",
    (text) => {
      const { settings, complaints } = read(`${head}\nlog_level: ${text}\n`, environment);
      expect(settings.isDisabled).toBe(true);
      expect(complaints).toEqual([
        `otel.yaml:3 "${text}": what is known is \${NAME}, \${NAME:-default}, and $$ for a dollar; ` +
          "the SDK is off until this is mended",
      ]);
    },
  );

  test("that the file does not refer to do not count, and are told together", () => {
    const { settings, complaints } = read(
      `${head}resource: { attributes: [{ name: service.name, value: "\${OTEL_SERVICE_NAME}" }] }`,
      {
        OTEL_SERVICE_NAME: "shop",
        OTEL_TRACES_EXPORTER: "console",
        OTEL_BSP_SCHEDULE_DELAY: "nonsense",
        OTEL_EMPTY: "",
        OTEL_OF_MY_OWN: "x",
      },
    );
    expect(settings).toMatchObject({
      traces: { exporters: [] },
      resourceAttributes: { "service.name": "shop" },
    });
    expect(complaints).toEqual([
      "OTEL_CONFIG_FILE: OTEL_TRACES_EXPORTER, OTEL_BSP_SCHEDULE_DELAY not read, " +
        "since the file does not refer to them",
    ]);
  });
});

describe("garbage", () => {
  const words = fc.constantFrom(
    "tracer_provider",
    "processors",
    "batch",
    "exporter",
    "otlp_http",
    "resource",
    "attributes",
    "name",
    "value",
    "sampler",
    "parent_based",
    "root",
    "readers",
    "periodic",
    "meter_provider",
    "propagator",
    "composite",
    "limits",
    "__proto__",
    "constructor",
    "js",
    "headers",
    "tls",
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 6, withCrossShrink: true },
      fc.constantFrom(null, true, 1, -1, 1.5, "text", "${A}", "${A:-1}", "$", "${"),
      fc.string(),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(words, tie("tree"), { maxKeys: 4 }),
    ),
  }));

  test("as a tree or as text never throws, and its lines are short and printable", () => {
    fc.assert(
      fc.property(fc.oneof(tree, fc.string({ unit: "binary" })), (value) => {
        const text =
          typeof value === "string"
            ? value
            : JSON.stringify({ ...(value as object), file_format: "1.0" });
        for (const line of read(text).complaints) expect(line).toMatch(/^[ -~…]{1,700}$/);
      }),
      { numRuns: 200 },
    );
  });

  test("of great depth, or that grows by its own references, ends at once", () => {
    const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"];
    for (const [index, name] of "bcdefghij".split("").entries()) {
      const last = "abcdefghij"[index]!;
      bomb.push(`${name}: &${name} [${`*${last}, `.repeat(9)}]`);
    }
    for (const text of [bomb.join("\n"), "[".repeat(5000), `${head}${"{a: ".repeat(2000)}`]) {
      expect(read(text).settings.isDisabled).toBe(true);
    }
  });
});
