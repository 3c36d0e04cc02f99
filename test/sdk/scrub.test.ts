import { expect, test } from "vitest";
import { scrubUrl } from "../../sdk/instrument/scrub.ts";

test.each([
  ["https://ann:pass@host/x?a=1", "https://REDACTED:REDACTED@host/x?a=1"],
  [
    "https://host/x?sig=abc&a=1&X-Amz-Signature=f#top",
    "https://host/x?sig=REDACTED&a=1&X-Amz-Signature=REDACTED#top",
  ],
  ["access_token=abc&monkey=banana", "access_token=REDACTED&monkey=banana"],
  ["?password=&apiKey=1", "?password=REDACTED&apiKey=REDACTED"],
  ["https://host/mail@example?q=a@b", "https://host/mail@example?q=a@b"],
  ["https://host/token=5/key", "https://host/token=5/key"],
])("%s is sent as %s", (url, scrubbed) => {
  expect(scrubUrl(url)).toBe(scrubbed);
});
