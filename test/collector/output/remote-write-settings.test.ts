import { expect, test } from "vitest";
import { remoteWriteSettings } from "../../../collector/output/prometheus/remote-write-settings.ts";

const url = "http://localhost:9090/api/v1/write";
const wrong = "must be an http:// or https:// address such as http://localhost:9090/api/v1/write";

test.each<[object, string]>([
  [{}, "url"],
  [{ url: "localhost:9090" }, wrong],
  [{ url: "ftp://me:hunter2@host/write" }, wrong],
  [{ url: "http:///write" }, wrong],
  [{ url: "http://me:hunter2@host:port/write" }, wrong],
  [{ url: "http://me:hunter2%zz@host/write" }, "has a % in its user or password"],
  [{ url: "http://me%:hunter2@host/write" }, "written as %25"],
  [{ url, certificate: "/x.pem" }, "is for https:// only, which the url is not"],
  [{ url, version: "3.0" }, "version"],
  [{ url, urls: [] }, "urls"],
])("%j is told what is wrong, without a secret", (given, message) => {
  const { error } = remoteWriteSettings.safeParse(given);
  expect(error?.message).toContain(message);
  expect(error?.message).not.toContain("hunter2");
});

test.each([
  "https://me:hunter%252@host/write",
  `${url}?extra_label=cluster=a&db=x`,
  "http://[::1]:8428/api/v1/write",
])("%s is an address to write to", (given) => {
  expect(remoteWriteSettings.parse({ url: given }).url).toBe(given);
});
