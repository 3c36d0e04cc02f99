import { expect, test } from "vitest";
import {
  redactorOf,
  scrubArguments,
  scrubAttribute,
  scrubText,
  scrubUrl,
} from "../../sdk/instrument/scrub.ts";

test.each([
  ["https://ann:pass@host/x?a=1", "https://REDACTED:REDACTED@host/x?a=1"],
  [
    "https://host/x?sig=abc&a=1&X-Amz-Signature=f#top",
    "https://host/x?sig=REDACTED&a=1&X-Amz-Signature=REDACTED#top",
  ],
  ["access_token=abc&monkey=banana", "access_token=REDACTED&monkey=banana"],
  ["?password=&apiKey=1", "?password=REDACTED&apiKey=REDACTED"],
  ["https://ann:p@ss@host/x", "https://REDACTED:REDACTED@host/x"],
  ["/x?pass%77ord=1&a=%zz#id_token=5", "/x?pass%77ord=REDACTED&a=%zz#id_token=REDACTED"],
  ["https://host/mail@example?q=a@b", "https://host/mail@example?q=a@b"],
  ["https://host/token=5/key", "https://host/token=5/key"],
])("%s is sent as %s", (url, scrubbed) => {
  expect(scrubUrl(url)).toBe(scrubbed);
});

test.each([
  ["failed for postgres://app:hunter2@db/x", "failed for postgres://REDACTED:REDACTED@db/x"],
  ['{"password":"a b\\"c","n":1}', '{"password":"REDACTED","n":1}'],
  ['{\\"secret\\":\\"x\\", \\"n\\": 1}', '{\\"secret\\":\\"REDACTED\\", \\"n\\": 1}'],
  ["{ detail: 'the password: hunter2, sorry' }", "{ detail: 'the password: REDACTED, sorry' }"],
  ["authorization: Bearer abc12345678 and", "authorization: REDACTED REDACTED and"],
  ["Cookie: a=b; sid=123\nhost: x", "Cookie: REDACTED\nhost: x"],
  ["password = 5, next", "password = REDACTED, next"],
  ["AKIAABCDEFGHIJKLMNOP!", "REDACTED!"],
  ["GET /x?token=abc&b=1 200", "GET /x?token=REDACTED&b=1 200"],
  ["-----BEGIN PRIVATE KEY-----\nabc", "REDACTED"],
  ['{"password"\t:"x"}', '{"password"\t:"REDACTED"}'],
])("the text %s is sent as %s", (text, scrubbed) => {
  expect(scrubText(text)).toBe(scrubbed);
});

test.each([
  "exit code=1 key=5",
  "password == wrong",
  "note: nothing",
  "the basic idea of a bearer",
  "AKIAABCDEFGHIJKLMNO",
  "12:30:45 a=b, c: d",
  "token_count=5 password_length: 8",
])("%s has no secret in it and is sent as it is", (text) => {
  expect(scrubText(text)).toBe(text);
});

test("attributes that are named like a secret lose their texts, and what is inside of others, too", () => {
  expect(scrubAttribute("http.request.header.authorization", ["x", "y"])).toEqual(["REDACTED"]);
  expect(scrubAttribute("password", 5)).toBe(5);
  expect(scrubAttribute("password", "")).toBe("");
  const value = { user: { password: "x", name: "ann" }, list: [1, { apiKey: "y" }] };
  expect(scrubAttribute("body", value)).toEqual({
    user: { password: "REDACTED", name: "ann" },
    list: [1, { apiKey: "REDACTED" }],
  });
  expect(value.user.password).toBe("x");
  const harmless = { a: [{ b: "c" }], at: new Date(0), bytes: new Uint8Array(2) };
  expect(scrubAttribute("body", harmless)).toBe(harmless);
  expect(redactorOf("http.request.method")).toBeUndefined();
  expect(redactorOf("db.password")?.text("x")).toBe("REDACTED");
});

test("what refers to itself, is deep or throws when it is read is cut off, never thrown", () => {
  const circle: Record<string, unknown> = { password: "x" };
  circle["self"] = circle;
  expect(JSON.stringify(scrubAttribute("body", circle))).not.toContain('"x"');
  const trap = {
    get name() {
      throw new Error("not to be read");
    },
  };
  expect(scrubAttribute("body", trap)).toBe("REDACTED");
});

test("a text is read up to 64 Ki characters, and no more of it is sent", () => {
  const limit = 64 * 1024;
  expect(scrubText("a".repeat(limit))).toHaveLength(limit);
  expect(scrubText(`${"a".repeat(limit)}b`)).toHaveLength(limit);
  expect(scrubUrl(`/${"a".repeat(limit)}?token=abc`)).toHaveLength(limit);
});

test.each([
  '"a":',
  "a=",
  "://",
  'password=\\"',
  "-----BEGIN PRIVATE KEY-----",
  "eyJ.",
  "bearer ",
  "cookie: ",
  "'",
])("%s over and over takes time that goes with its length", (part) => {
  const begun = performance.now();
  scrubText(part.repeat((64 * 1024) / part.length));
  expect(performance.now() - begun).toBeLessThan(2000);
});

test("arguments of a command lose the values of options for secrets", () => {
  const given = [
    "node",
    "--password",
    "x",
    "--token=y",
    "-H",
    "authorization: Basic abc12345",
    "app",
  ];
  expect(scrubArguments(given).join(" ")).toBe(
    "node --password REDACTED --token=REDACTED -H authorization: REDACTED REDACTED app",
  );
});
