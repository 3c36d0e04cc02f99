import { expect, test } from "vitest";
import { settings } from "../../../collector/output/elasticsearch/settings.ts";

const url = "http://localhost:9200";
test.each<[object, RegExp]>([
  [{}, /url/],
  [{ url: "ftp://me:hunter2@host" }, /must be an http/],
  [{ url: "http://me:hunter2@host/?a" }, /the address ends with the path/],
  [{ url: "http://me:hunter2%zz@host" }, /%25/],
  [{ url, username: "me" }, /password[^]*is missing|is missing[^]*password/],
  [{ url, password: "hunter2" }, /is missing/],
  [{ url, username: "me:x", password: "hunter2" }, /colon/],
  [{ url, api_key: "hunter2\n" }, /printable ASCII/],
  [{ url, api_key: "hunter2", username: "me", password: "hunter2" }, /give one of/],
  [{ url: "http://me:hunter2@host", api_key: "hunter2" }, /give one of/],
  [{ url, api_key: "hunter2", token: "hunter2" }, /give one of/],
  [{ url, certificate: "/x.pem" }, /is for https/],
  [{ url, index: "Logs-%Y" }, /lower case/],
  [{ url, index: "-logs" }, /lower case/],
  [{ url, index: "logs-%y" }, /%Y, %m, %d, %H and %s only/],
  [{ url, index: "" }, /lower case/],
  [{ url, index: "x".repeat(256) }, /at most 255 bytes/],
  [{ url, signals: ["profiles"] }, /logs/],
  [{ url, signals: ["logs", "metrics"], index: "all-%Y" }, /must have %s/],
  [{ url, signals: ["traces"], index: "spans" }, /must have %s/],
  [{ url, indx: "logs" }, /indx/],
])("%j is told what is wrong, without a secret", (given, message) => {
  const { error } = settings.safeParse(given);
  expect(error?.message).toMatch(message);
  expect(error?.message).not.toContain("hunter2");
});

test("have defaults for everything but the address", () => {
  expect(settings.parse({ url })).toMatchObject({ index: "data-stream", signals: ["logs"] });
  expect(settings.parse({ url, index: "%Y-%m-%d.%H" }).index).toBe("%Y-%m-%d.%H");
  const signals = ["traces", "logs"];
  expect(settings.parse({ url, index: "%s-%Y", signals }).signals).toEqual(signals);
  expect(settings.parse({ url, index: "mine", signals: ["metrics"] }).index).toBe("mine");
});
