// Memory of requests that have been sent, for the next ones. What lies outside of V8's heap is
// freed when V8 finds that nobody needs it; a request outlives a collection or two of new objects,
// and would then wait for one of all objects, of which a busy app has one in ten thousands of
// requests.

/** Below that a request has memory of its own: many of them may have to wait. */
const leastBytes = 32 * 1024;
/** What a single large item has stretched beyond is not kept. */
export const keptBytes = 2 * 1024 * 1024;
/** As many requests as usually wait for an answer at a time. */
const mostSpare = 3;

export class SpareBytes {
  readonly #spare: Buffer[] = [];

  /** At least so many. */
  take(size: number): Buffer {
    if (size < leastBytes) return Buffer.allocUnsafe(size);
    const fitting = this.#spare.findIndex(({ length }) => length >= size);
    const [bytes] = fitting < 0 ? [] : this.#spare.splice(fitting, 1);
    return bytes ?? Buffer.allocUnsafe(size + (size >>> 3)); // the next may be a little larger
  }

  /** That nobody reads any more. */
  give(bytes: Buffer): void {
    if (bytes.length < leastBytes || bytes.length > keptBytes) return;
    if (this.#spare.length === mostSpare) this.#spare.shift();
    this.#spare.push(bytes);
  }
}
