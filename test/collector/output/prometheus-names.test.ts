import { describe, expect, it } from "vitest";
import { naming } from "../../../collector/output/prometheus/names.ts";

const { familyName, labelName } = naming("UnderscoreEscapingWithSuffixes");

describe("names of metrics", () => {
  it.each([
    ["http.server.request.duration", "s", "histogram", "http_server_request_duration_seconds"],
    ["http.server.active_requests", "{request}", "gauge", "http_server_active_requests"],
    ["orders", "{order}", "counter", "orders_total"],
    ["orders.total", "", "counter", "orders_total"],
    ["total.orders", "", "counter", "orders_total"],
    ["orders.total", "", "gauge", "orders_total"],
    ["memory.usage", "By", "gauge", "memory_usage_bytes"],
    ["memory_bytes", "By", "gauge", "memory_bytes"],
    ["bytes.sent", "By", "counter", "bytes_sent_total"],
    ["network.io", "By", "counter", "network_io_bytes_total"],
    ["cpu.utilization", "1", "gauge", "cpu_utilization_ratio"],
    ["hit.ratio", "1", "gauge", "hit_ratio"],
    ["cpu.count", "1", "counter", "cpu_count_total"],
    ["cpu.time", "1", "histogram", "cpu_time"],
    ["speed", "By/s", "gauge", "speed_bytes_per_second"],
    ["speed", "m/s", "gauge", "speed_meters_per_second"],
    ["rate", "{packet}/s", "gauge", "rate_per_second"],
    ["rate", "1/min", "gauge", "rate_per_min"],
    ["rate", "By/{shard}", "gauge", "rate_bytes"],
    ["load", "%", "gauge", "load_percent"],
    ["size", "KiBy", "gauge", "size_kibibytes"],
    ["size", "kBy", "gauge", "size_kilobytes"],
    ["size", "TiBy", "gauge", "size_tibibytes"],
    ["temperature", "Cel", "gauge", "temperature_celsius"],
    ["odd", "foo bar$", "gauge", "odd_foo_bar"],
    ["a..b--c__d", "", "gauge", "a_b_c_d"],
    ["_hidden_", "", "gauge", "hidden"],
    ["rule:sum", "", "gauge", "rule:sum"],
    ["2xx", "", "counter", "_2xx_total"],
    ["grüße", "", "gauge", "gr_e"],
    ["", "s", "gauge", ""],
    ["…", "", "counter", ""],
  ] as const)("%s in %s, a %s, is %s", (name, unit, type, expected) => {
    expect(familyName(name, unit, type)).toBe(expected);
  });
});

describe("names of labels", () => {
  it.each([
    ["http.request.method", "http_request_method"],
    ["a..b__c", "a_b_c"],
    ["2xx", "key_2xx"],
    ["_hidden", "key_hidden"],
    ["__name__", "key_name_"],
    ["grün", "gr_n"],
    ["💡", "key_"],
    ["", "key"],
  ])("%s is %s", (key, expected) => {
    expect(labelName(key)).toBe(expected);
  });
});

describe("names of metrics by the other strategies", () => {
  it.each([
    ["http.server.duration", "s", "histogram", "http_server_duration"],
    ["a..b--c__d", "By", "counter", "a_b_c__d"],
    ["2xx", "", "counter", "_2xx"],
    ["…", "", "counter", ""],
    ["__", "", "gauge", ""],
  ] as const)("%s in %s, a %s, is %s without suffixes", (name, unit, type, expected) => {
    expect(naming("UnderscoreEscapingWithoutSuffixes").familyName(name, unit, type)).toBe(expected);
  });

  it.each([
    ["http.server.duration", "s", "histogram", "http.server.duration_seconds"],
    ["orders.total", "", "counter", "orders_total"],
    ["orders", "{order}", "counter", "orders_total"],
    ["network.io.bytes", "By", "counter", "network.io.bytes_total"],
    ["hit.ratio", "1", "gauge", "hit_ratio"],
    ["speed", "By/s", "gauge", "speed_bytes_per_second"],
    ["grüße", "s", "gauge", "grüße_seconds"],
    ["", "s", "gauge", ""],
  ] as const)("%s in %s, a %s, is %s with no more than suffixes", (name, unit, type, expected) => {
    expect(naming("NoUTF8EscapingWithSuffixes").familyName(name, unit, type)).toBe(expected);
  });

  it("stay as they are where nothing is translated", () => {
    const { familyName, labelName } = naming("NoTranslation");
    expect(familyName("http.server.duration", "s", "counter")).toBe("http.server.duration");
    expect(labelName("http.route")).toBe("http.route");
    expect(labelName("__name__")).toBe("key__name__");
    expect(labelName("")).toBe("key");
  });
});
