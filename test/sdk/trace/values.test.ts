import { expect, test } from "vitest";
import { Encoder } from "../../../sdk/export/encoder.ts";
import { Attributes, CommonFields, plain } from "../../../sdk/trace/values.ts";

const unlimited = { count: 128, length: Infinity };

function commonFields(): CommonFields {
  const common = new CommonFields();
  common.entries.push("http.request.method", "GET", "server.port", 80);
  return common;
}

function encoded(encoder: Encoder, attributes: Attributes): Buffer {
  encoder.attributes(0x4a, attributes);
  return Buffer.from(encoder.take());
}

test("fields in common are encoded like any, the first time and after", () => {
  const common = commonFields();
  const alone = new Attributes();
  alone.setAll({ "http.request.method": "GET", "server.port": 80, "url.path": "/a" }, unlimited);
  const expected = encoded(new Encoder(), alone);
  const encoder = new Encoder();
  for (let time = 0; time < 3; time++) {
    const attributes = new Attributes(common);
    attributes.add("url.path", "/a");
    expect(encoded(encoder, attributes)).toEqual(expected);
  }
});

test("what is in common can be changed for one, and stays for the others", () => {
  const common = commonFields();
  const [changed, other] = [new Attributes(common), new Attributes(common)];
  changed.add("url.path", "/a");
  changed.set("server.port", 8080, unlimited);
  changed.set("server.port", 8081, unlimited);
  expect(plain(changed)).toEqual({
    "http.request.method": "GET",
    "server.port": 8081,
    "url.path": "/a",
  });
  expect(plain(other)).toEqual({ "http.request.method": "GET", "server.port": 80 });
  expect(other.has("server.port")).toBe(true);
});

test("what is in common counts for the limits", () => {
  const attributes = new Attributes(commonFields());
  attributes.add("url.path", "/long");
  expect(attributes.within({ count: 3, length: Infinity })).toBe(attributes);
  const fewer = attributes.within({ count: 2, length: Infinity });
  expect(plain(fewer)).toEqual({ "http.request.method": "GET", "server.port": 80 });
  expect(fewer.dropped).toBe(1);
  const shorter = attributes.within({ count: 128, length: 2 });
  expect(plain(shorter)).toEqual({
    "http.request.method": "GE",
    "server.port": 80,
    "url.path": "/l",
  });
  attributes.set("one.more", true, { count: 3, length: Infinity });
  expect(attributes.dropped).toBe(1);
});
