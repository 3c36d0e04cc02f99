// The formats in which the Prometheus output shows what it holds, and which of them a scraper gets.

import { describe, expect, it } from "vitest";
import { formatFor } from "../../../collector/output/prometheus/negotiate.ts";
import { parsedByPython, pythonWithParser } from "../../support/metrics-checkers.ts";
import type { Metric } from "../../support/otlp.ts";
import {
  Bench,
  counter,
  delta,
  exemplar,
  exponential,
  gauge,
  histogram,
  quantileValues,
  request,
  shop,
  spanId,
  sum,
  timed,
  traceId,
  withExemplars,
} from "../../support/prometheus-metrics.ts";
import { accept as protobuf } from "../../support/prometheus-protobuf.ts";

const open = "application/openmetrics-text;version=1.0.0";
const openUtf8 = `${open};escaping=allow-utf-8`;

describe("what is negotiated", () => {
  it.each([
    [undefined, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"],
    ["*/*", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"],
    ["application/json", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"],
    ["text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"],
    [
      "text/plain;version=1.0.0;escaping=allow-utf-8",
      "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
    ],
    [
      "text/plain;version=0.0.4;escaping=allow-utf-8",
      "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
    ],
    ["text/plain;escaping=dots", "text/plain; version=0.0.4; charset=utf-8; escaping=dots"],
    [
      "application/openmetrics-text",
      "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
    ],
    [
      "application/openmetrics-text; version=0.0.1; escaping=values, text/plain;q=0.5",
      "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=values",
    ],
    [
      "application/openmetrics-text;version=2.0.0,text/plain;version=1.0.0;q=0.1",
      "text/plain; version=1.0.0; charset=utf-8; escaping=underscores",
    ],
    [
      "application/openmetrics-text;q=0,text/plain;q=0.1",
      "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
    ],
    [
      "application/openmetrics-text;escaping=unheard-of",
      "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
    ],
    [
      `${protobuf};escaping=allow-utf-8;q=0.6,${open};q=0.5`,
      "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; " +
        "encoding=delimited; escaping=allow-utf-8",
    ],
    [
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text,*/*",
      "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
    ],
  ])("%s gives %s", (accept, expected) => {
    expect(formatFor(accept).contentType).toBe(expected);
  });

  it("is bounded work, whatever is asked", () => {
    expect(formatFor(";,=,".repeat(4000)).kind).toBe("text");
  });
});

describe("OpenMetrics", () => {
  it("has counters by their names, with when they began and the trace of an example", async () => {
    const bench = new Bench();
    const orders = { ...counter("orders", 3), unit: "By", description: 'a "b"\n\\' };
    await bench.deliver(request([withExemplars(orders, exemplar(2, 5.25))]));
    expect(bench.text(open)).toBe(
      '# HELP orders_bytes a \\"b\\"\\n\\\\\n# TYPE orders_bytes counter\n# UNIT orders_bytes bytes\n' +
        'orders_bytes_total{job="shop",instance="1"} 3 ' +
        `# {trace_id="${traceId}",span_id="${spanId}"} 2 1790000005.25\n` +
        'orders_bytes_created{job="shop",instance="1"} 1790000000\n# EOF\n',
    );
  });

  it("has an example in each bucket that it is of, the last one", async () => {
    const bench = new Bench();
    const metric = histogram("h", { bounds: [1, 2], counts: [1, 1, 2], total: 9 });
    const examples = [exemplar(0.5), exemplar(2), exemplar(7, 6), exemplar(8, 5)];
    await bench.deliver(request([withExemplars(metric, ...examples)], {}));
    const ids = `{trace_id="${traceId}",span_id="${spanId}"}`;
    expect(bench.text(open)).toBe(
      "# TYPE h histogram\n" +
        `h_bucket{le="1"} 1 # ${ids} 0.5 1790000005\n` +
        `h_bucket{le="2"} 2 # ${ids} 2 1790000005\n` +
        `h_bucket{le="+Inf"} 4 # ${ids} 7 1790000006\n` +
        "h_sum 9\nh_count 4\nh_created 1790000000\n# EOF\n",
    );
    expect(bench.text()).not.toContain("trace_id");
  });

  it("takes of an example what fits into 128 characters, and the ids before all else", async () => {
    const bench = new Bench();
    const short = withExemplars(counter("a", 1), exemplar(1, 5, { user: "é".repeat(61) }));
    const long = withExemplars(counter("b", 1), exemplar(1, 5, { user: "é".repeat(62) }));
    await bench.deliver(request([short, long]));
    const text = bench.text(open);
    expect(text).toContain(`span_id="${spanId}",user="${"é".repeat(61)}"} 1`);
    expect(text.match(/user=/g)).toHaveLength(1);
  });

  it("has target_info as the info that it is", async () => {
    const bench = new Bench();
    await bench.deliver(request([gauge("g", 1)], { ...shop, "host.name": "h" }));
    expect(bench.text(open)).toContain(
      '# TYPE target info\ntarget_info{job="shop",instance="1",host_name="h"} 1\n',
    );
  });

  it("has a counter whose other name is taken as one of unknown type, under the same name", async () => {
    const bench = new Bench({ translation_strategy: "UnderscoreEscapingWithoutSuffixes" });
    await bench.deliver(request([counter("plain", 1), counter("x_total", 2), gauge("x", 3)]));
    const text = bench.text(open);
    expect(text).toContain("# TYPE plain unknown\nplain{");
    expect(text).toContain("# TYPE x_total unknown\nx_total{");
    expect(text).toContain("# TYPE x gauge\nx{");
    expect(text).not.toContain("_created");
  });

  it("leaves out when a counter began where that name is taken, and where it is not wanted", async () => {
    const bench = new Bench();
    await bench.deliver(request([counter("c", 1), gauge("c.created", 7)]));
    expect(bench.text(open).match(/^c_created.*$/gm)).toEqual([
      'c_created{job="shop",instance="1"} 7',
    ]);
    const without = new Bench({ created_series: false });
    await without.deliver(request([counter("c", 1)]));
    expect(without.text(open)).not.toContain("_created");
  });

  it("knows when a sum of differences began, however many came since", async () => {
    const bench = new Bench();
    for (const time of [10, 20, 30]) {
      const points = [{ ...timed({ start: time - 10, time }), asInt: "1" }];
      await bench.deliver(request([sum("s", points, { isMonotonic: true, temporality: delta })]));
    }
    expect(bench.text(open)).toContain('s_created{job="shop",instance="1"} 1790000000\n');
  });

  it("has no sum of what may fall", async () => {
    const bench = new Bench();
    await bench.deliver(request([histogram("h", { bounds: [-1], counts: [1, 1], total: 3 })]));
    expect(bench.text(open)).not.toMatch(/h_(sum|count)/);
    expect(bench.text()).toMatch(/h_sum.* 3\n/);
  });

  const parser = pythonWithParser();
  it.skipIf(!parser)("is what the Python parser takes, number for number", async () => {
    const bench = new Bench();
    await bench.deliver(request([...everyKind()], { ...shop, "host.name": "h" }));
    const input = bench.text(open);
    const samples = parsedByPython(parser!, input);
    expect(samples).toContainEqual(["orders_total", "3"]);
    expect(samples).toContainEqual(["e_count", "3"]);
    expect(samples).toHaveLength(input.split("\n").filter((line) => /^[^#]/.test(line)).length);
  });
});

describe("names beyond ASCII", () => {
  const given = request(
    [{ ...counter("http.server.größe", 1, { with: { "http.route": '/"' } }), unit: "By" }],
    { ...shop, "host.name": "h" },
  );
  const utf8 = { translation_strategy: "NoUTF8EscapingWithSuffixes" };

  it("are quoted for those who can read them", async () => {
    const bench = new Bench(utf8);
    await bench.deliver(given);
    const labels = String.raw`job="shop",instance="1","http.route"="/\""`;
    expect(bench.text("text/plain;version=1.0.0;escaping=allow-utf-8")).toBe(
      "# HELP target_info Target metadata\n# TYPE target_info gauge\n" +
        'target_info{job="shop",instance="1","host.name"="h"} 1\n' +
        '# TYPE "http.server.größe_bytes_total" counter\n' +
        `{"http.server.größe_bytes_total",${labels}} 1\n`,
    );
    expect(bench.text(openUtf8)).toContain('# TYPE "http.server.größe_bytes" counter\n');
  });

  it.each([
    ["underscores", "http_server_gr__e_bytes_total", "http_route"],
    ["dots", "http_dot_server_dot_gr____e__bytes__total", "http_dot_route"],
    ["values", "U__http_2e_server_2e_gr_f6__df_e__bytes__total", "U__http_2e_route"],
  ])("are escaped as %s for those who ask for it", async (escaping, name, label) => {
    const bench = new Bench(utf8);
    await bench.deliver(given);
    expect(bench.text(`text/plain;version=0.0.4;escaping=${escaping}`)).toContain(
      String.raw`${name}{job="shop",instance="1",${label}="/\""} 1`,
    );
  });

  it("that become one are shown once, and no scrape fails", async () => {
    const bench = new Bench(utf8);
    const both = [
      gauge("a.b", 1, { with: { "x.y": "1", x_y: "2" } }),
      gauge("a_b", 2),
      gauge("c", 3, { with: { "x.y": "1" } }),
      gauge("c", 4, { with: { x_y: "1" } }),
    ];
    await bench.deliver(request(both));
    expect(bench.samples()).toEqual({ 'a_b{x_y="1;2"}': 1, 'c{x_y="1"}': 3 });
    expect(bench.text(openUtf8).match(/^[^#].*/gm)).toHaveLength(4);
  });
});

describe("what stands on every series", () => {
  it("are the chosen attributes of its resource, before its own", async () => {
    const bench = new Bench({
      promote_resource_attributes: ["deployment.environment.name", "job"],
    });
    const resource = { ...shop, "deployment.environment.name": "prod", "host.name": "h", job: "j" };
    const own = { with: { "deployment.environment.name": "own" } };
    await bench.deliver(request([gauge("g", 1, own)], resource));
    expect([...bench.scrape().samples.keys()].filter((key) => key.startsWith("g"))).toEqual([
      'g{deployment_environment_name="prod",exported_deployment_environment_name="own",' +
        'exported_job="j",instance="1",job="shop"}',
    ]);
  });

  it("does not make a target of each of their values in target_info", async () => {
    const bench = new Bench({ promote_resource_attributes: ["version"] });
    await bench.deliver(request([gauge("g", 1)], { ...shop, version: "1" }));
    await bench.deliver(request([gauge("g", 2)], { ...shop, version: "2" }));
    expect(bench.text().match(/^target_info.*$/gm)).toEqual([
      'target_info{job="shop",instance="1",version="2"} 1',
    ]);
  });

  it("is not the scope where that is not wanted", async () => {
    const bench = new Bench({ scope_labels: false });
    const scope = { name: "s", version: "1" };
    const metrics = [gauge("g", 1)];
    await bench.deliver({ resourceMetrics: [{ scopeMetrics: [{ scope, metrics }] }] });
    expect(bench.text()).toContain("\ng 1\n");
  });
});

function* everyKind(): Generator<Metric> {
  yield withExemplars(counter("orders", 3), exemplar(2));
  yield gauge("g", Number.NaN);
  yield { ...gauge("share", 0.5), unit: "1", description: 'a "b"\n' };
  yield withExemplars(
    histogram("h", { bounds: [0.5, 1], counts: [1, 1, 1], total: 2 }),
    exemplar(3),
  );
  yield exponential(3, { offset: 0, bucketCounts: ["2"] });
  yield {
    name: "q",
    summary: { dataPoints: [{ ...timed(), count: "4", sum: 10, quantileValues }] },
  };
}
