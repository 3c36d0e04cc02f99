// What a server's Retry-After header asks for, in seconds or as a date.

/** However long it asks for, it is asked again after this, so that nobody can silence us for long. */
export const longestWaitMs = 5 * 60_000;

export function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), longestWaitMs);
}
