// Takes secrets out of the URLs on spans, whoever made the span.

const urlAttributes: ReadonlySet<string> = new Set([
  "url.full",
  "url.query",
  "http.url",
  "http.target",
]);

/** Query parameters by what their names say, beyond the list of OpenTelemetry's conventions. */
const secretNames =
  /token|secret|passw|api[-_]?key|accesskey|credential|signature|^(sig|key|auth|code)$/i;

/** What becomes of an attribute's text as it is encoded; undefined where it stays as it is. */
export function redactorOf(name: string): ((text: string) => string) | undefined {
  return urlAttributes.has(name) ? scrubUrl : undefined;
}

/** A whole URL or only its query. */
export function scrubUrl(url: string): string {
  return url
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#@]*@/i, "$1REDACTED:REDACTED@")
    .replaceAll(/([?&]|^)([^=?&#/]+)=([^&#]*)/g, (whole, before: string, name: string) =>
      secretNames.test(name) ? `${before}${name}=REDACTED` : whole,
    );
}
