import { deepStrictEqual } from "node:assert";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyRequest, fuzz } from "../../support/otlp-arbitrary.ts";
import { anyValue, attributes, type AttributeValue, sampleBatch } from "../../support/otlp.ts";
import type { AnyValue, KeyValue } from "../../support/otlp-shapes.ts";
import { applied, batchOf, groupsOf, openStep } from "./steps.ts";

// Written in two parts, so that nobody who looks for secrets in this repository finds these.
const [ghp, akia, xoxb, eyj, key] = ["ghp", "AKIA", "xoxb", "eyJ", "PRIVATE KEY"];
const github = `${ghp}_0123456789abcdefghijABCDEFGHIJ012345`;
const aws = `${akia}IOSFODNN7EXAMPLE`;
const slack = `${xoxb}-1234567890-abcdef`;
const jwt = `${eyj}hbGciOiJIUzI1NiJ9.${eyj}zdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r`;
const pem = `-----BEGIN RSA ${key}-----\nMIIEow==\n-----END RSA ${key}-----`;

async function redacted(value: AttributeValue, settings: object = {}, key = "text") {
  const step = await openStep("redact", settings);
  const log = { body: anyValue(value), attributes: [{ key, value: anyValue(value) }] };
  const batch = batchOf("logs", { resourceLogs: [{ scopeLogs: [{ logRecords: [log] }] }] });
  const once = step.apply(batch);
  expect(step.apply(once)).toBe(once); // what is masked needs no masking
  const [group] = groupsOf("logs", applied(step, batch));
  const { body, attributes: [pair] = [] } = group?.scopes[0]?.leaves?.[0] ?? {};
  return { body, value: pair?.value };
}

describe("a text", () => {
  it.each([
    ["https://user:hunter2@host/path", "https://REDACTED@host/path"],
    ["postgres://user:p@ss@host:5432/db?x=1", "postgres://REDACTED@host:5432/db?x=1"],
    [
      "see https://token@host and http://b:c@d.",
      "see https://REDACTED@host and http://REDACTED@d.",
    ],
    ["/path?api_key=hunter2&page=2", "/path?api_key=REDACTED&page=2"],
    ["?token=hunter2#top", "?token=REDACTED#top"],
    ["X-Amz-Signature=abc&code=hunter2", "X-Amz-Signature=REDACTED&code=REDACTED"],
    ["--password=hunter2 --port=80", "--password=REDACTED --port=80"],
    ["Server=db;User Id=sa;Password=hunter2;", "Server=db;User Id=sa;Password=REDACTED;"],
    ["clientSecret='hunter 2' x", "clientSecret='REDACTED' x"],
    ['{"password": "hunt\\"er2", "user":"bob"}', '{"password": "REDACTED", "user":"bob"}'],
    [String.raw`"{\"api_key\":\"hunter2\"}"`, String.raw`"{\"api_key\":\"REDACTED\"}"`],
    ["Authorization: Bearer hunter2", "Authorization: Bearer REDACTED"],
    ["authorization: Basic aHVudGVyMg==, x", "authorization: Basic REDACTED, x"],
    ["Cookie: a=b; session=hunter2\nHost: x", "Cookie: REDACTED\nHost: x"],
    ["sent bearer abcdef1234567890 to x", "sent bearer REDACTED to x"],
    [`key ${aws}.`, "key REDACTED."],
    [`key ${github}, ${slack}`, "key REDACTED, REDACTED"],
    [`got ${jwt} from x`, "got REDACTED from x"],
    [`x ${pem} y`, "x REDACTED y"],
    [pem.slice(0, 60), "REDACTED"],
    ["password=hünter2 😀", "password=REDACTED 😀"],
  ])("%j becomes %j", async (text, wanted) => {
    const { body, value } = await redacted(text);
    expect(body).toEqual({ stringValue: wanted });
    expect(value).toEqual({ stringValue: wanted });
  });

  it.each([
    "https://host/path@x?page=2",
    "mail bob@example.com",
    "a == b, token == null, x=1",
    "password=",
    '"password": null',
    "note: basic authentication, bearer authentication",
    "AKIA123 ghp_short eyJhbGci.x.y xoxb-1",
    "-----BEGIN PUBLIC KEY-----",
    "k8s.secret.name=foo password_length=12",
    "4111 1111 1111 1111",
    "12:30:45 GET /users/5 200",
    "select * from users where id = $1",
  ])("%j stays as it is", async (text) => {
    expect((await redacted(text)).body).toEqual({ stringValue: text });
  });
});

describe("an attribute", () => {
  it.each([
    ["http.request.header.authorization", ["a", "b"]],
    ["http.request.header.x-api-key", "hunter2"],
    ["http.request.header.cookie", "a=b"],
    ["db.password", "hunter2"],
    ["DB_PASSWD", "hunter2"],
    ["userPassword", "hunter2"],
    ["client_secret", "hunter2"],
    ["accessToken", "hunter2"],
    ["session.token", "hunter2"],
    ["aws.secret_access_key", "hunter2"],
    ["connectionString", "hunter2"],
  ])("called %s is masked whole", async (key, value) => {
    expect((await redacted(value, {}, key)).value).toEqual({ stringValue: "REDACTED" });
  });

  it.each<[string, AttributeValue]>([
    ["gen_ai.usage.input_tokens", 5],
    ["gen_ai.usage.output_tokens", "5"],
    ["http.response.status_code", "200"],
    ["code", "5"],
    ["k8s.secret.name", "tls"],
    ["password.length", "5"],
    ["password", 5],
    ["password", ""],
    ["monkey", "banana"],
  ])("called %s with %j is not", async (key, value) => {
    expect((await redacted(value, {}, key)).value).toEqual(anyValue(value));
  });

  it("is looked through, whatever is in it", async () => {
    const list = ["x", "a=1&token=hunter2", ["password=hunter2"]];
    expect((await redacted(list)).value).toEqual(
      anyValue(["x", "a=1&token=REDACTED", ["password=REDACTED"]]),
    );
    const step = await openStep("redact", {});
    const value: AnyValue = {
      kvlistValue: { values: attributes({ password: "hunter2", user: "bob", n: 5 }) },
    };
    const log = { body: value, attributes: [{ key: "map", value }] };
    const batch = batchOf("logs", { resourceLogs: [{ scopeLogs: [{ logRecords: [log] }] }] });
    const [group] = groupsOf("logs", applied(step, batch));
    const wanted = {
      kvlistValue: { values: attributes({ password: "REDACTED", user: "bob", n: 5 }) },
    };
    expect(group?.scopes[0]?.leaves).toEqual([
      { body: wanted, attributes: [{ key: "map", value: wanted }] },
    ]);
  });

  it("is redacted wherever a request can have one", async () => {
    const secrets = attributes({ password: "hunter2" });
    const step = await openStep("redact", {});
    const point = { attributes: secrets, exemplars: [{ filteredAttributes: secrets }] };
    const described = { resource: { attributes: secrets } };
    const scope = { attributes: secrets };
    const requests = {
      traces: {
        resourceSpans: [
          {
            ...described,
            scopeSpans: [
              {
                scope,
                spans: [
                  {
                    name: "GET http://u:hunter2@h/",
                    attributes: secrets,
                    events: [{ attributes: secrets }],
                    links: [{ attributes: secrets }],
                    status: { message: "cannot reach http://u:hunter2@h/" },
                  },
                ],
              },
            ],
          },
        ],
      },
      logs: {
        resourceLogs: [
          { ...described, scopeLogs: [{ scope, logRecords: [{ attributes: secrets }] }] },
        ],
      },
      metrics: {
        resourceMetrics: [
          {
            ...described,
            scopeMetrics: [
              {
                scope,
                metrics: [
                  { gauge: { dataPoints: [point] }, metadata: secrets },
                  { sum: { dataPoints: [point] } },
                  { histogram: { dataPoints: [point] } },
                  { exponentialHistogram: { dataPoints: [point] } },
                  { summary: { dataPoints: [{ attributes: secrets }] } },
                ],
              },
            ],
          },
        ],
      },
    } as const;
    for (const signal of ["traces", "metrics", "logs"] as const) {
      const request = JSON.parse(JSON.stringify(requests[signal])) as object;
      const left = applied(step, batchOf(signal, request));
      const wanted = JSON.stringify(request).replaceAll(/u:hunter2|hunter2/g, "REDACTED");
      expect(left).toEqual(JSON.parse(wanted));
    }
  });
});

describe("the settings", () => {
  it("name further attributes, of which everything goes", async () => {
    const settings = { keys: ["Order.Id", String.raw`/^internal\./`] };
    expect((await redacted(5, settings, "order.id")).value).toEqual({ stringValue: "REDACTED" });
    expect((await redacted(true, settings, "internal.x")).value).toEqual({
      stringValue: "REDACTED",
    });
    expect((await redacted(5, settings, "order.idx")).value).toEqual({ intValue: "5" });
    expect((await redacted("/?order.id=7", settings)).value?.stringValue).toBe(
      "/?order.id=REDACTED",
    );
  });

  it("name attributes that are left alone", async () => {
    const settings = { allow: ["db.password", "/^debug/"] };
    expect((await redacted("x", settings, "DB.password")).value).toEqual({ stringValue: "x" });
    expect((await redacted("token=x", settings, "debug.a")).value?.stringValue).toBe("token=x");
  });

  it("give patterns of what is masked in texts", async () => {
    const settings = { patterns: ["customer-[0-9]+", "(?i)straße"], mask: "***" };
    const { value } = await redacted("ü customer-17, STRAßE, token=x", settings);
    expect(value?.stringValue).toBe("ü ***, ***, token=***");
    expect((await redacted("customer", settings)).value?.stringValue).toBe("customer");
  });

  it("give a mask, which may be nothing", async () => {
    expect((await redacted("a?token=x&b=1", { mask: "" })).value?.stringValue).toBe("a?token=&b=1");
  });

  it("switch credit cards on, by their check digit", async () => {
    const settings = { credit_cards: true };
    const text = async (given: string) => (await redacted(given, settings)).value?.stringValue;
    expect(await text("card 4111 1111 1111 1111 ok")).toBe("card REDACTED ok");
    expect(await text("4111-1111-1111-1111")).toBe("REDACTED");
    expect(await text("378282246310005")).toBe("REDACTED");
    expect(await text("4111 1111 1111 1112")).toBe("4111 1111 1111 1112");
    expect(await text("41111111111111110000000000")).toBe("41111111111111110000000000");
    expect(await text("id4111111111111111")).toBe("id4111111111111111");
  });

  it("switch the well-known ones off", async () => {
    const settings = { well_known: false, keys: ["mine"] };
    const text = `password=x http://u:p@h ${github} mine=secret`;
    expect((await redacted(text, settings)).value?.stringValue).toBe(
      text.replace("mine=secret", "mine=REDACTED"),
    );
    expect((await redacted("x", settings, "password")).value?.stringValue).toBe("x");
  });
});

describe("redaction", () => {
  it("gives the same batch back when there is no secret in it", async () => {
    const step = await openStep("redact", {});
    for (const signal of ["traces", "metrics", "logs"] as const) {
      const batch = sampleBatch(signal, { items: 50 });
      expect(step.apply(batch)).toBe(batch);
    }
  });

  it("leaves any request valid, and all but its secrets as it was", async () => {
    const step = await openStep("redact", { keys: ["/^[a-m]/"], patterns: ["[0-9]+"] });
    fc.assert(
      fc.property(anyRequest, ({ signal, request }) => {
        const batch = batchOf(signal, request);
        const before = applied({ name: "", apply: (one) => one }, batch);
        const left = applied(step, batch);
        deepStrictEqual(shapeOf(left), shapeOf(before));
        const again = step.apply(batch);
        expect(step.apply(again)).toBe(again);
      }),
      fuzz(500),
    );
  });

  // Each of these makes a scan look far ahead or back at many places, if it does so carelessly.
  it.each([
    "eyJ",
    "eyJ-",
    "eyJa.",
    "ghp_",
    "glpat-",
    "://",
    "a://",
    "http://u:",
    "=",
    "a=",
    "token=",
    "token= ",
    'token="',
    '"token":"\\',
    "password: ",
    '"',
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----",
    "bearer ",
    "bearer a",
    "4111 ",
    "4-",
    "a.",
    "é",
  ])(
    "takes a text of a million bytes full of %j in time that goes with its length",
    async (piece) => {
      const text = piece.repeat(Math.ceil(1e6 / Buffer.byteLength(piece)));
      const step = await openStep("redact", { credit_cards: true });
      const log = { body: { stringValue: text } };
      const batch = batchOf("logs", { resourceLogs: [{ scopeLogs: [{ logRecords: [log] }] }] });
      const began = performance.now();
      step.apply(batch);
      expect(performance.now() - began).toBeLessThan(10_000);
    },
  );
});

/** Everything but the texts, and but the values that a key of the test masks. */
function shapeOf(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (name, inner: unknown) => {
      if (typeof inner === "number" && !Number.isFinite(inner)) return String(inner);
      if (["stringValue", "message", "name"].includes(name)) return "text";
      const pair = inner as KeyValue | undefined;
      const isPair = typeof inner === "object" && inner !== null && "key" in inner;
      return isPair && /^[a-m]/i.test(pair?.key ?? "") ? { key: pair?.key } : inner;
    }),
  ) as unknown;
}
