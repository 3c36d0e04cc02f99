import { describe, expect, it } from "vitest";
import { exposition, labelText, numberText } from "../../../collector/telemetry/exposition.ts";
import { parseScrape } from "../../support/prometheus-text.ts";

describe("the text format", () => {
  it("writes a family with its help, type and samples", () => {
    const text = exposition([
      {
        name: "requests_total",
        type: "counter",
        help: "What came in.",
        samples: [
          {
            labels: [
              ["method", "GET"],
              ["code", "200"],
            ],
            value: 3,
          },
          { labels: [], value: 0.5 },
        ],
      },
      {
        name: "duration_seconds",
        type: "histogram",
        help: "",
        samples: [{ suffix: "_bucket", labels: [["le", "+Inf"]], value: 1 }],
      },
    ]);
    expect(text).toBe(
      "# HELP requests_total What came in.\n" +
        "# TYPE requests_total counter\n" +
        'requests_total{method="GET",code="200"} 3\n' +
        "requests_total 0.5\n" +
        "# TYPE duration_seconds histogram\n" +
        'duration_seconds_bucket{le="+Inf"} 1\n',
    );
  });

  it.each([
    [0, "0"],
    [-0, "0"],
    [12, "12"],
    [0.1, "0.1"],
    [1e21, "1e+21"],
    [5e-324, "5e-324"],
    [2 ** 53, "9007199254740992"],
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "+Inf"],
    [Number.NEGATIVE_INFINITY, "-Inf"],
  ])("writes the number %d as %s", (value, text) => {
    expect(numberText(value)).toBe(text);
  });

  it("escapes quotes, backslashes and line ends in label values", () => {
    expect(labelText([["path", 'C:\\"new"\nline']])).toBe('path="C:\\\\\\"new\\"\\nline"');
  });

  it("keeps every text readable as what it was", () => {
    for (const text of ['"', "\\", "\n", "\\n", '\\"', "}", "} 1", "a\r\tb", "é 💡", "\\\\n"]) {
      const family = {
        name: "a",
        type: "gauge",
        help: text,
        samples: [{ labels: [["b", text]] as const, value: 1 }],
      } as const;
      const { samples, help } = parseScrape(exposition([family]));
      expect([...samples.keys()]).toEqual([`a{b=${JSON.stringify(text)}}`]);
      expect(help.get("a")).toBe(text);
    }
  });

  it("puts a comma in front of labels that go on from others, if there are any", () => {
    expect(labelText([["b", "2"]], ",")).toBe(',b="2"');
    expect(labelText([], ",")).toBe("");
  });
});
