// Work that ends after a while, or when somebody says so.

/** The signal that the work is given is aborted when the time is over, or `abort` is. */
export async function within<Value>(
  { timeoutMs, abort }: { readonly timeoutMs: number; readonly abort: AbortSignal },
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  const timer = setTimeout(end, timeoutMs);
  abort.addEventListener("abort", end, { once: true });
  if (abort.aborted) end();
  try {
    return await work(ending.signal);
  } finally {
    clearTimeout(timer);
    abort.removeEventListener("abort", end);
  }
}
