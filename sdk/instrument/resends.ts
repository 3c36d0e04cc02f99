// Which requests follow a redirect. Whoever follows one, fetch or a library, asks for the place that the
// answer named, in the same context; no more is to be seen from outside.

import type { Context } from "@opentelemetry/api";

const redirects = new WeakMap<Context, Map<string, number>>();
const mostRedirects = 16;

export function rememberRedirect(context: Context, url: URL | null, count: number): void {
  if (!url) return;
  let ofContext = redirects.get(context);
  if (!ofContext) redirects.set(context, (ofContext = new Map()));
  const [oldest] = ofContext.keys();
  if (ofContext.size >= mostRedirects && oldest !== undefined) ofContext.delete(oldest);
  ofContext.set(withoutHash(url.href), count);
}

/** How often it was sent before under another URL; asked once. */
export function resendCount(context: Context, url: string): number {
  const ofContext = redirects.get(context);
  if (!ofContext) return 0;
  const key = withoutHash(URL.parse(url)?.href ?? url);
  const count = ofContext.get(key) ?? 0;
  ofContext.delete(key);
  if (ofContext.size === 0) redirects.delete(context);
  return count;
}

function withoutHash(url: string): string {
  return url.split("#", 1)[0]!;
}
