// Takes secrets out of the URLs on spans, whoever made the span.

import type { Span, SpanProcessor } from "@opentelemetry/sdk-trace";

const urlAttributes = ["url.full", "url.query", "http.url", "http.target"];

/** Query parameters by what their names say, beyond the list of OpenTelemetry's conventions. */
const secretNames =
  /token|secret|passw|api[-_]?key|accesskey|credential|signature|^(sig|key|auth|code)$/i;

export const scrubUrls: SpanProcessor = {
  onStart(span: Span) {
    for (const name of urlAttributes) {
      const value = span.attributes[name];
      if (typeof value !== "string") continue;
      const scrubbed = scrubUrl(value);
      if (scrubbed !== value) span.setAttribute(name, scrubbed);
    }
  },
  onEnd() {},
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};

/** A whole URL or only its query. */
export function scrubUrl(url: string): string {
  return url
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#@]*@/i, "$1REDACTED:REDACTED@")
    .replaceAll(/([?&]|^)([^=?&#/]+)=([^&#]*)/g, (whole, before: string, name: string) =>
      secretNames.test(name) ? `${before}${name}=REDACTED` : whole,
    );
}
