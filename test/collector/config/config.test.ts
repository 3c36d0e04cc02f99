import { describe, expect, it } from "vitest";
import { load, problems } from "./folder.ts";

describe("without any settings", () => {
  it("everything has its default and only Prometheus is on", async () => {
    const { config } = await load({});
    expect(config).toEqual({
      dataDir: "./.sonde",
      host: "127.0.0.1",
      allowUnauthenticated: false,
      otlpGrpcPort: 4317,
      otlpHttpPort: 4318,
      webPort: 4319,
      log: "disk",
      logMaxBytes: 4 * 1024 ** 3,
      whenFull: "skip",
      requestMaxBytes: 64 * 1024 ** 2,
      requestsMaxBytes: 256 * 1024 ** 2,
      maxConnections: 10_000,
      corsOrigins: [],
      outputs: [
        {
          name: "prometheus",
          type: "prometheus",
          settings: expect.objectContaining({ port: 8889 }),
          steps: [],
        },
      ],
    });
  });

  it("an empty file is as good as none", async () => {
    expect((await load({ yaml: "" })).config).toEqual((await load({})).config);
    expect((await load({ yaml: "# nothing\noutputs:\n" })).config).toEqual((await load({})).config);
  });
});

describe("outputs", () => {
  it("a variable of an output switches it on, with its defaults", async () => {
    const { config } = await load({ env: { SONDE_OTLP_ENDPOINT: "http://localhost:4318" } });
    expect(config.outputs[0]).toEqual({
      name: "otlp",
      type: "otlp",
      settings: {
        endpoint: "http://localhost:4318",
        headers: {},
        compression: "none",
        timeout_ms: 10_000,
        max_in_flight: 4,
        max_request_bytes: 2_097_152,
        max_request_items: 10_000,
        signals: ["traces", "metrics", "logs"],
      },
      steps: [],
    });
  });

  it("jaeger is an OTLP output that takes traces only", async () => {
    const { config } = await load({ env: { SONDE_JAEGER_ENDPOINT: "grpc://jaeger:4317" } });
    expect(config.outputs[0]).toMatchObject({ type: "jaeger", settings: { signals: ["traces"] } });
  });

  it("the file may have any number of a type, and the name is the type where none is given", async () => {
    const { config } = await load({
      yaml: `outputs:
  debug:
  one: { type: otlp, endpoint: "http://one:1" }
  two: { type: otlp, endpoint: "http://two:1", signals: [logs] }
`,
    });
    expect(config.outputs.map(({ name, type }) => `${name} ${type}`)).toEqual([
      "debug debug",
      "one otlp",
      "two otlp",
      "prometheus prometheus",
    ]);
  });

  it("variables go to the output of that name whatever its type is", async () => {
    const { config } = await load({
      yaml: `outputs: { jaeger: { type: otlp, signals: [traces, logs] } }`,
      env: { SONDE_JAEGER_ENDPOINT: "grpc://j:4317" },
    });
    expect(config.outputs[0]).toMatchObject({
      type: "otlp",
      settings: { endpoint: "grpc://j:4317", signals: ["traces", "logs"] },
    });
  });

  it("Prometheus is not there when its port is off", async () => {
    expect((await load({ env: { SONDE_PROMETHEUS_PORT: "off" } })).config.outputs).toEqual([]);
    const { config } = await load({ yaml: "outputs: { prometheus: { port: off } }" });
    expect(config.outputs).toEqual([]);
  });

  it("headers in a variable are pairs, percent-decoded", async () => {
    const env = {
      SONDE_OTLP_ENDPOINT: "http://h:1",
      SONDE_OTLP_HEADERS: "authorization=Basic%20YQ==, x-tenant = a%2Cb",
      SONDE_OTLP_SIGNALS: "logs, traces",
      SONDE_OTLP_TIMEOUT_MS: "5",
    };
    expect((await load({ env })).config.outputs[0]?.settings).toMatchObject({
      headers: { authorization: "Basic YQ==", "x-tenant": "a,b" },
      signals: ["logs", "traces"],
      timeout_ms: 5,
    });
  });
});

describe("precedence", () => {
  it("a variable wins over the file, and an empty one counts as unset", async () => {
    const yaml = "web_port: 1\notlp_grpc_port: 2\noutputs: { debug: { verbosity: items } }";
    const env = { SONDE_WEB_PORT: "3", SONDE_OTLP_GRPC_PORT: "", SONDE_DEBUG_VERBOSITY: "summary" };
    const { config } = await load({ yaml, env });
    expect(config).toMatchObject({ webPort: 3, otlpGrpcPort: 2 });
    expect(config.outputs[0]?.settings).toEqual({ verbosity: "summary" });
  });

  it("an empty variable switches nothing on and is no mistake either", async () => {
    const env = { SONDE_JAEGER_ENDPOINT: "", SONDE_JAGER_ENDPOINT: "", SONDE_LOKI_URL: "" };
    expect((await load({ env })).config.outputs).toHaveLength(1);
  });

  it("a general setting wins where an output's variable would have the same name", async () => {
    const { config } = await load({
      env: { SONDE_OTLP_GRPC_PORT: "1", SONDE_OTLP_HTTP_PORT: "off" },
    });
    expect(config).toMatchObject({ otlpGrpcPort: 1, otlpHttpPort: "off" });
    expect(config.outputs.map(({ name }) => name)).toEqual(["prometheus"]);
  });

  it("--config wins over SONDE_CONFIG, which wins over ./sonde.yaml", async () => {
    const files = { "a.yaml": "web_port: 1", "b.yaml": "web_port: 2" };
    const given = { yaml: "web_port: 3", files, env: { SONDE_CONFIG: "b.yaml" } };
    expect((await load({ ...given, file: "a.yaml" })).config.webPort).toBe(1);
    expect((await load(given)).config.webPort).toBe(2);
    expect((await load({ ...given, env: {} })).config.webPort).toBe(3);
    expect((await load({ ...given, env: { SONDE_CONFIG: "" } })).config.webPort).toBe(3);
  });
});

describe("secrets in files", () => {
  const url = { SONDE_ELASTICSEARCH_URL: "http://e:9200" };

  it("are read by _FILE, without the line end", async () => {
    const env = { ...url, SONDE_ELASTICSEARCH_API_KEY_FILE: "key" };
    const { config } = await load({ env, files: { key: "hunter2\n" } });
    expect(config.outputs[0]?.settings).toMatchObject({ api_key: "hunter2" });
  });

  it("are read by _file in sonde.yaml too, and a variable still wins", async () => {
    const yaml = `outputs: { elasticsearch: { url: "http://e:9200", api_key_file: key } }`;
    const files = { key: "hunter2" };
    expect((await load({ yaml, files })).config.outputs[0]?.settings).toMatchObject({
      api_key: "hunter2",
    });
    const env = { SONDE_ELASTICSEARCH_API_KEY: "other" };
    expect((await load({ yaml, files, env })).config.outputs[0]?.settings).toMatchObject({
      api_key: "other",
    });
  });

  it("are refused when the file is not there or the secret is given as well", async () => {
    const env = { ...url, SONDE_ELASTICSEARCH_API_KEY_FILE: "key" };
    expect(await problems({ env })).toEqual([
      'SONDE_ELASTICSEARCH_API_KEY_FILE: "key" cannot be read: no such file',
    ]);
    const both = { ...env, SONDE_ELASTICSEARCH_API_KEY: "x" };
    expect(await problems({ env: both, files: { key: "y" } })).toEqual([
      "SONDE_ELASTICSEARCH_API_KEY_FILE: given twice, also as SONDE_ELASTICSEARCH_API_KEY",
    ]);
  });

  it("exist for secrets only", async () => {
    expect(await problems({ env: { SONDE_DATA_DIR_FILE: "key" } })).toEqual([
      "SONDE_DATA_DIR_FILE: no such setting",
    ]);
  });
});

describe("limits", () => {
  const limits = [
    ["SONDE_WEB_PORT", "0", "65535", "-1", "65536"],
    ["SONDE_OTLP_GRPC_PORT", "0", "65535", "-1", "65536"],
    ["SONDE_OTLP_HTTP_PORT", "0", "65535", "-1", "65536"],
    ["SONDE_LOG_MAX_BYTES", "64KiB", "64TiB", "65535", "70368744177665"],
    ["SONDE_REQUEST_MAX_BYTES", "1KiB", "256MiB", "1023", "1073741825"],
    ["SONDE_REQUESTS_MAX_BYTES", "64MiB", "64GiB", "1023", "68719476737"],
    ["SONDE_OTLP_TIMEOUT_MS", "1", "600000", "0", "600001"],
  ] as const;
  const needed = { SONDE_OTLP_ENDPOINT: "http://h:1" };

  it.each(limits)("of %s: %s and %s are in, %s and %s are out", async (name, ...values) => {
    const [least, most, below, above] = values;
    for (const value of [least, most]) {
      expect(await problems({ env: { ...needed, [name]: value } })).toEqual([]);
    }
    const words = /: -?\d+ is (not a port|too small, at least \d+ is|too large, at most \d+ is)/;
    for (const value of [below, above]) {
      const told = await problems({ env: { ...needed, [name]: value } });
      expect(told[0]).toMatch(words);
      expect(told[0]).toContain(name);
    }
  });

  it("one request may be as large as all together, but not larger", async () => {
    const all = { SONDE_REQUESTS_MAX_BYTES: "1MiB" };
    const env = { ...all, SONDE_REQUEST_MAX_BYTES: "1048576" };
    expect(await problems({ env })).toEqual([]);
    expect(await problems({ env: { ...all, SONDE_REQUEST_MAX_BYTES: "1048577" } })).toEqual([
      "SONDE_REQUESTS_MAX_BYTES: 1048576 is too small, at least request_max_bytes (1048577) is needed",
    ]);
  });

  it.each([
    ["512MiB", 512 * 1024 ** 2],
    ["4GiB", 4 * 1024 ** 3],
    ["4 gib", 4 * 1024 ** 3],
    ["100000B", 100_000],
    ["65536", 65_536],
  ])("a size may be written %s", async (text, size) => {
    expect((await load({ env: { SONDE_LOG_MAX_BYTES: text } })).config.logMaxBytes).toBe(size);
    expect((await load({ yaml: `log_max_bytes: ${text}` })).config.logMaxBytes).toBe(size);
  });

  it.each(["4GB", "1.5GiB", "GiB", "4 4", "-65536KiB", "1e9x"])(
    "a size is not %s",
    async (text) => {
      expect(await problems({ env: { SONDE_LOG_MAX_BYTES: text } })).toEqual([
        `SONDE_LOG_MAX_BYTES: "${text}" is not a size; give bytes, or a number with KiB, MiB, GiB or TiB`,
      ]);
    },
  );

  it("the file may have 128 KiB", async () => {
    const yaml = `#${" ".repeat(131_071)}`;
    expect(await problems({ yaml })).toEqual([]);
    expect(await problems({ yaml: `${yaml} ` })).toEqual([
      "sonde.yaml: is too large, at most 131072 bytes are allowed",
    ]);
  });

  it("a file without an end is left alone", async () => {
    expect(await problems({ file: "/dev/zero" })).toEqual([
      '--config: "/dev/zero" is too large, at most 131072 bytes are allowed',
    ]);
  });

  it("an output's name may have 64 characters", async () => {
    const name = "a".repeat(64);
    expect(await problems({ yaml: `outputs: { ${name}: { type: debug } }` })).toEqual([]);
    expect(await problems({ yaml: `outputs: { ${name}a: { type: debug } }` })).toEqual([
      `sonde.yaml:1 outputs.${name}a: not a name for an output; ` +
        "use up to 64 of a-z, 0-9, - and _, a letter first",
    ]);
  });
});

describe("the listening address", () => {
  it.each(["127.0.0.1", "127.1.2.3", "::1", "0:0:0:0:0:0:0:1", "localhost"])(
    "%s is for this machine only and needs no permission",
    async (host) => {
      expect(await problems({ env: { SONDE_HOST: host } })).toEqual([]);
    },
  );

  it.each(["0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "example.com", "localhost.example.com"])(
    "%s is refused unless it is allowed",
    async (host) => {
      expect(await problems({ env: { SONDE_HOST: host } })).toEqual([
        `SONDE_HOST: "${host}" can be reached from other machines, and nobody is asked who they ` +
          "are; set auth_token (SONDE_AUTH_TOKEN) or tls_client_ca (SONDE_TLS_CLIENT_CA), or, if " +
          "everybody may come in, allow_unauthenticated (SONDE_ALLOW_UNAUTHENTICATED) to true",
      ]);
      const env = { SONDE_HOST: host, SONDE_ALLOW_UNAUTHENTICATED: "true" };
      expect((await load({ env })).config).toMatchObject({ host, allowUnauthenticated: true });
    },
  );

  it.each(["http://x", "a b", "[::1]", "h:1", "-x"])("%s is none", async (host) => {
    expect(await problems({ env: { SONDE_HOST: host } })).toEqual([
      `SONDE_HOST: "${host}" is not a host name or address`,
    ]);
  });
});

describe("OTLP endpoints", () => {
  it.each([
    "http://h",
    "https://h:4318/base/",
    "http://u:p@h",
    "grpc://h:80",
    "grpcs://[::1]:4317/",
  ])("%s is one", async (endpoint) => {
    expect(await problems({ env: { SONDE_OTLP_ENDPOINT: endpoint } })).toEqual([]);
  });

  it.each([
    ["localhost:4317", "is not an OTLP address"],
    ["ftp://h", "is not an OTLP address"],
    ["HTTP://h", "is not an OTLP address"],
    ["grpc://", "is not an OTLP address"],
    ["http://h ", "is not an OTLP address"],
    ["http://me:hunter2%zz@h", "has a % in its user or password that must be written as %25"],
    ["http://h:70000", "is not an OTLP address"],
    ["http://h/v1/traces", "must end before /v1/…"],
    ["http://h?a=b", "has a ? or #"],
    ["grpc://h", "must have a port"],
    ["grpc://h:1/path", "must end with the port"],
    ["grpc://u@h:1", "must not have a user"],
  ])("%s is none", async (endpoint, words) => {
    const told = await problems({ env: { SONDE_OTLP_ENDPOINT: endpoint } });
    expect(told).toHaveLength(1);
    expect(told[0]).toContain(words);
  });
});
