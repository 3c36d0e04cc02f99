import { describe, expect, it } from "vitest";
import { problems } from "./folder.ts";

describe("a mistake in a variable", () => {
  it.each([
    ["SONDE_OTLP_HTTP_PORT", "80a", '"80a" is not a port; give 0 to 65535, or off'],
    ["SONDE_PROMETHEUS_PORT", "80a", '"80a" is not a port; give 0 to 65535, or off'],
    ["SONDE_WEB_PORT", "1.5", "1.5 is not a port; give 0 to 65535, or off"],
    ["SONDE_LOG", "dsik", '"dsik" is not one of disk, memory; did you mean "disk"?'],
    ["SONDE_ALLOW_UNAUTHENTICATED", "yes", '"yes" is neither true nor false'],
    ["SONDE_JAGER_ENDPOINT", "x", "no such setting; did you mean SONDE_JAEGER_ENDPOINT?"],
    ["SONDE_JAEGER_ENDPOIN", "x", "no such setting; did you mean SONDE_JAEGER_ENDPOINT?"],
    ["SONDE_CONFG", "x", "no such setting; did you mean SONDE_CONFIG?"],
    ["SONDE_TOTALLY_DIFFERENT", "x", "no such setting"],
    ["SONDE_CONFIG", "nowhere.yaml", '"nowhere.yaml" cannot be read: no such file'],
  ])("%s=%s: %s", async (name, value, words) => {
    expect(await problems({ env: { [name]: value } })).toEqual([`${name}: ${words}`]);
  });

  it("that leaves an output without what it needs says who asked for the output", async () => {
    expect(await problems({ env: { SONDE_JAEGER_TIMEOUT_MS: "1" } })).toEqual([
      "SONDE_JAEGER_ENDPOINT: is missing, but SONDE_JAEGER_TIMEOUT_MS asks for an output to jaeger",
    ]);
  });

  it.each(["SONDE_KAFKA_BROKERS", "SONDE_STORE", "SONDE_STORE_RETENTION", "SONDE_STORE_MAX_BYTES"])(
    "%s is said not to be available yet",
    async (name) => {
      expect(await problems({ env: { [name]: "x" } })).toEqual([
        `${name}: this setting is not available in this version`,
      ]);
    },
  );

  it("is none where the variable belongs to the SDK, the tests or Kubernetes", async () => {
    const env = {
      SONDE_ENGINE: "opentelemetry",
      SONDE_PEERS: "x",
      SONDE_TEST_JAEGER_URL: "x",
      SONDE_SERVICE_HOST: "10.0.0.1",
      SONDE_SERVICE_PORT_OTLP: "4317",
      SONDE_PORT: "tcp://10.0.0.1:4317",
      SONDE_PORT_4317_TCP_ADDR: "10.0.0.1",
      SONDE_PROMETHEUS_PORT: "tcp://10.0.0.1:8889",
      OTEL_SDK_DISABLED: "x",
    };
    expect(await problems({ env })).toEqual([]);
  });
});

describe("a mistake in the file", () => {
  it.each([
    ["web_port: 80a", '1 web_port: "80a" is not a port; give 0 to 65535, or off'],
    ["\n\nweb_prot: 1", '3 web_prot: no such setting; did you mean "web_port"?'],
    ["webPort: 1", '1 webPort: no such setting; did you mean "web_port"?'],
    ["jaeger: {}", '1 jaeger: no such setting; did you mean "outputs.jaeger"?'],
    ['"a\\nb": 1', '1 "a\\nb": no such setting'],
    ["data_dir: 5", "1 data_dir: 5 is not text; put it in quotes"],
    ['data_dir: ""', '1 data_dir: "" is empty'],
    ["data_dir: [a]", "1 data_dir: a list is not text"],
    ["host:", "1 host: nothing is not text"],
    ["steps: 1", "1 steps: is not a group of names with values"],
    ["outputs: 1", "1 outputs: is not a group of names with values"],
    ["outputs:\n  jager: {}", '2 outputs.jager: no such output type; did you mean "jaeger"?'],
    [
      "outputs:\n  kaffka: {}",
      '2 outputs.kaffka: no such output type; if you mean "kafka", that is not available in this version',
    ],
    ["outputs:\n  kafka: {}", "2 outputs.kafka: this output type is not available in this version"],
    [
      "outputs:\n  mine: {}",
      "2 outputs.mine: no such output type; " +
        "there are debug, elasticsearch, file, jaeger, loki, otlp, prometheus, remote_write; " +
        "an output of another name needs a type",
    ],
    [
      "outputs:\n  mine:\n    type: own",
      "3 outputs.mine.type: no such output type; " +
        "there are debug, elasticsearch, file, jaeger, loki, otlp, prometheus, remote_write",
    ],
    [
      "outputs:\n  mine:\n    type: otpl",
      '3 outputs.mine.type: no such output type; did you mean "otlp"?',
    ],
    ["outputs:\n  debug: items", "2 outputs.debug: is not a group of names with values"],
    ["outputs:\n  otlp:\n    signals: [logs]", "2 outputs.otlp.endpoint: is missing"],
    [
      "outputs:\n  debug:\n    verbosty: 1",
      '3 outputs.debug.verbosty: no such setting; did you mean "verbosity"?',
    ],
  ])("%j: %s", async (yaml, words) => {
    expect(await problems({ yaml })).toEqual([`sonde.yaml:${words}`]);
  });

  it.each([
    [
      "    timeout_ms: 70000000",
      "5 outputs.o.timeout_ms: 70000000 is too large, at most 600000 is allowed",
    ],
    ["    timeout_ms: 1.5", "5 outputs.o.timeout_ms: 1.5 is not a whole number"],
    ["    signals: traces", '5 outputs.o.signals: "traces" is not a list; put it in [ ]'],
    ["    signals: []", "5 outputs.o.signals: a list is empty; leave it out for the default"],
    [
      "    signals:\n      - logs\n      - trace",
      '7 outputs.o.signals: "trace" is not one of traces, metrics, logs; did you mean "traces"?',
    ],
    [
      "    headers:\n      a b: c",
      '6 outputs.o.headers."a b": "a b" is not the name of a header; use letters, digits, _ . and -',
    ],
    [
      "    headers:\n      Transfer-Encoding: chunked",
      '6 outputs.o.headers.Transfer-Encoding: "Transfer-Encoding" is not for you to say: it is how the collector sends a request; leave it out',
    ],
    ["    headers:\n      a: 1", "6 outputs.o.headers.a: *** is not text; put it in quotes"],
  ])("names the innermost line: %j", async (lines, words) => {
    const yaml = `outputs:\n  o:\n    type: otlp\n    endpoint: http://h\n${lines}`;
    expect(await problems({ yaml })).toEqual([`sonde.yaml:${words}`]);
  });

  it.each([
    ['a: 1\nb: "x', "2:6: lacks a closing quote, bracket, brace, comma or colon"],
    ["a:\n\tb: 1", "2:1: is indented by a tab; use spaces"],
    ["a:\n  b: 1\n c: 2", "3:1: is indented otherwise than the lines that it belongs to"],
    ["a: { b: 1\nc: 2", "2:1: is within a [ or { that is not closed, or is indented too little"],
    ["a: @b", "1:4: begins with a character that has a meaning in YAML; put the text in quotes"],
    ["a: 1\n---\nb: 1", "2:1: begins a second document; a settings file is one"],
    ["a: !b c", "1:4: has a tag that is not known here; put a text that begins with ! in quotes"],
    ["{a: 1}: 2", "1:1: has a name that is not text"],
    ["data_dir: *a", "1 data_dir: is not an alias; put a text that begins with * in quotes"],
    ["data_dir: a\nhost: ::1\ndata_dir: b", "3 data_dir: given again, the first is in line 1"],
    ["outputs:\n  debug:\n  debug:", "3 outputs.debug: given again, the first is in line 2"],
    ["- a", "1: is not a group of names with values"],
    ["just text", "1: is not a group of names with values"],
  ])("that makes it no YAML: %j: %s", async (yaml, words) => {
    expect(await problems({ yaml })).toEqual([`sonde.yaml:${words}`]);
  });

  it("that makes it no text: bytes that are not UTF-8", async () => {
    expect(await problems({ yaml: new Uint8Array([0x61, 0xff]) })).toEqual([
      "sonde.yaml: is not UTF-8 text",
    ]);
  });

  it("names the file as it was asked for", async () => {
    const files = { "other.yaml": "web_prot: 1" };
    expect(await problems({ files, file: "./other.yaml" })).toEqual([
      './other.yaml:1 web_prot: no such setting; did you mean "web_port"?',
    ]);
    expect(await problems({ file: "none.yaml" })).toEqual([
      '--config: "none.yaml" cannot be read: no such file',
    ]);
  });

  it("an alias is followed, and blamed where it stands for something wrong", async () => {
    const yaml = "otlp_grpc_port: &port 1\notlp_http_port: *port";
    expect(await problems({ yaml })).toEqual([
      "sonde.yaml:2 otlp_http_port: 1 is the port of otlp_grpc_port already",
    ]);
  });
});

describe("too much of a thing in the file", () => {
  const unknown = "sonde.yaml:1 x: no such setting";

  it("100 aliases are followed, 101 are not", async () => {
    expect(await problems({ yaml: aliases(100) })).toEqual(["sonde.yaml:2 x: no such setting"]);
    expect(await problems({ yaml: aliases(101) })).toEqual([
      "sonde.yaml:2 x: is an alias too many, at most 100 are allowed",
    ]);
  });

  it("16 levels are read, 17 are not", async () => {
    expect(await problems({ yaml: nested(16) })).toEqual([unknown]);
    expect(await problems({ yaml: nested(17) })).toEqual([
      "sonde.yaml:1 x: is more than 16 levels deep",
    ]);
  });

  it("10000 values are read, 10001 are not", async () => {
    expect(await problems({ yaml: values(9_998) })).toEqual([unknown]);
    expect(await problems({ yaml: values(9_999) })).toEqual([
      "sonde.yaml:1 x: has more than 10000 values",
    ]);
  });

  it("aliases of aliases do not multiply", async () => {
    const names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    const lines = names.map((name, index) => {
      const item = index === 0 ? "x" : `*${names[index - 1]}`;
      return `${name}: &${name} [${Array.from({ length: 9 }, () => item).join(",")}]`;
    });
    const told = await problems({ yaml: lines.join("\n") });
    expect(told).toHaveLength(1);
    expect(told[0]).toContain("is an alias too many");
  });

  it("an alias of itself ends", async () => {
    expect(await problems({ yaml: "x: &x [*x]" })).toEqual([
      "sonde.yaml:1 x: is more than 16 levels deep",
    ]);
  });
});

describe("several mistakes", () => {
  it("are all told at once, those of the file first and by line", async () => {
    const yaml = `outputs:
  kaffka: {}
  debug: { verbosity: itemz }
host: 0.0.0.0
web_port: 70000
`;
    const env = { SONDE_LOG: "tape", SONDE_JAGER_ENDPOINT: "x", SONDE_OTLP_HTTP_PORT: "80a" };
    const told = await problems({ yaml, env });
    expect(told.map((line) => line.split(":", 2).join(":").split(" ")[0])).toEqual([
      "sonde.yaml:2",
      "sonde.yaml:3",
      "sonde.yaml:4",
      "sonde.yaml:5",
      "SONDE_JAGER_ENDPOINT:",
      "SONDE_OTLP_HTTP_PORT:",
      "SONDE_LOG:",
    ]);
  });

  it("a file that is no YAML does not hide what is wrong with variables", async () => {
    const told = await problems({ yaml: 'a: "', env: { SONDE_LOG: "tape" } });
    expect(told).toHaveLength(2);
  });

  it("of one port for two listeners the one that was chosen is told", async () => {
    expect(await problems({ env: { SONDE_OTLP_GRPC_PORT: "8889" } })).toEqual([
      "SONDE_OTLP_GRPC_PORT: 8889 is the port of outputs.prometheus.port already",
    ]);
    const free = { SONDE_OTLP_GRPC_PORT: "0", SONDE_OTLP_HTTP_PORT: "0", SONDE_WEB_PORT: "off" };
    expect(await problems({ env: free })).toEqual([]);
  });
});

describe("secrets", () => {
  it.each([
    { env: { SONDE_JAEGER_HEADERS: "hunter2" } },
    { env: { SONDE_JAEGER_HEADERS: "a=hunter2%" } },
    { env: { SONDE_JAEGER_HEADERS: "a=hunter2\u0000" } },
    { env: { SONDE_ELASTICSEARCH_API_KEY: "hunter2 x", SONDE_ELASTICSEARCH_URL: "http://h" } },
    { env: { SONDE_OTLP_ENDPOINT: "ftp://u:hunter2@h" } },
    { env: { SONDE_OTLP_ENDPOINT: "http://u:hunter2/x@h" } },
    { env: { SONDE_OTLP_ENDPOINT: "http:u:hunter2@h" } },
    { env: { SONDE_OTLP_ENDPOINT: "u:hunter2@h:1" } },
    { env: { SONDE_OTLP_ENDPOINT: "http://h", SONDE_OTLP_COMPRESSION: "http://hunter2@h" } },
    { env: { SONDE_ELASTICSEARCH_URL: "ftp://u:hunter2@h" } },
    { yaml: "outputs: { elasticsearch: { url: http://h, password: !hunter2 x } }" },
    { yaml: "outputs: { elasticsearch: { url: http://h, password: *hunter2 } }" },
    { yaml: 'outputs: { elasticsearch: { url: http://h, password: "\\hunter2" } }' },
    { yaml: "outputs: { elasticsearch: { url: http://h, api_key: [hunter2] } }" },
    { yaml: "outputs: { elasticsearch: { url: http://h, pasword: hunter2 } }" },
    { yaml: "outputs: { elasticsearch: hunter2 }" },
    { yaml: "outputs: { otlp: { endpoint: http://h, headers: hunter2 } }" },
    { yaml: "outputs: { otlp: { endpoint: http://h, headers: { a: hunter2\u0001 } } }" },
  ])("are not told by a message: %j", async (given) => {
    const told = await problems(given);
    expect(told.length).toBeGreaterThan(0);
    expect(told.join("\n")).not.toContain("hunter2");
  });
});

function aliases(count: number): string {
  return `data_dir: &a b\nx: [${"*a, ".repeat(count)}]`;
}

function nested(levels: number): string {
  return `x: ${"[".repeat(levels)}${"]".repeat(levels)}`;
}

function values(count: number): string {
  return `x: [${"1, ".repeat(count)}]`;
}
