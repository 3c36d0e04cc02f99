// Conditions as people write them, in CEL: an expression that can be computed, or a fault at a place.

import { deepStrictEqual } from "node:assert";
import { compileExpression } from "../../../collector/step/cel/compile.ts";
import { functionNames } from "../../../collector/step/cel/functions.ts";
import { ExpressionFault, placed } from "../../../collector/step/cel/syntax.ts";
import { variables } from "../../../collector/step/cel/variables.ts";
import { Item } from "../../../collector/step/item.ts";
import { demand, type Target } from "../target.ts";

const tokens =
  "x ~[1, 2]~{'a': 1}~.all(x, ~.map(x, ~ ? ~ : ~ && ~ || ~ in ~r'''~b'\\x00'~\\U0010ffff~// ~((((~1u~1e9";

export const targets: readonly Target[] = [
  {
    name: "cel",
    covers: [
      ...["tokens", "parser", "compile", "calls", "loops", "functions", "operators"].map(
        (name) => `collector/step/cel/${name}.ts`,
      ),
      "collector/step/pattern/syntax.ts",
    ],
    seeds: () => expressions.map((text) => Buffer.from(text)),
    words: [...Object.keys(variables), ...functionNames, ...tokens.split("~")],
    maxBytes: 1024,
    run: compute,
  },
];

const expressions = [
  'span.name == "a" && span.kind != SPAN_KIND_SERVER || log.attributes["b"] in [1, 2u, 3.5, null]',
  "span.duration > duration('1.5s') ? -1 + 2 * 3 % 4 : int('7')",
  "has(resource.attributes['service.name']) && !span.name.matches('^(a|b){2,}[c-e]$')",
  "[1, 2, 3].map(x, x > 1, x * 2).exists_one(y, y == 4) && [[1], []].all(z, size(z) < 2)",
  "timestamp('2024-02-29T23:59:59.5Z').getHours('+01:00') == 0 && {'a': 1, `b c`: 2}.a == 1",
  "b'\\xff\\101' + bytes(\"\\u00e9\") == b\"\" || r'\\d' == '''a\n''' // the end",
  "string(1.5e3).startsWith('1') && type(1) == int && double('inf') > 0.0",
  "'\\U0010ffff' != '\\u0041\\101' + '\\x41'",
  "span.events.exists(e, e.name == 'x') || metric.name.lowerAscii().contains('q')",
];

const maxSteps = 1000;
const longestMs = 5000;

function compute(input: Uint8Array): boolean {
  const text = Buffer.from(input).toString("utf8");
  const began = performance.now();
  try {
    const expression = compileExpression(text);
    const [once, again] = [expression.run(emptyItem()), expression.run(emptyItem())];
    demand(once !== undefined, () => "an expression without a value");
    deepStrictEqual(again, once);
    return true;
  } catch (error) {
    if (!(error instanceof ExpressionFault)) throw error;
    const isPlace = error.at >= 0 && error.at <= text.length;
    const words = placed(text, error);
    demand(isPlace && words.length < 2000 + text.length, () => words);
    demand(/^at (line \d+, )?column \d+: (?!.*\[object)/.test(words), () => words);
    return false;
  } finally {
    demand(performance.now() - began < longestMs, () => "takes too long");
  }
}

function emptyItem(): Item {
  const item = new Item();
  item.stepsLeft = maxSteps;
  return item;
}
