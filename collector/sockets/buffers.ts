// Memory for requests that come in several pieces, used again once they have been taken: buffers that are
// left to the garbage collector count against a small limit of V8's and bring on collections of the whole
// heap.

const sizes = [4 << 10, 16 << 10, 64 << 10, 256 << 10];
const mostKeptBytes = 4 << 20;

export class Buffers {
  readonly #unused: Buffer[][] = sizes.map(() => []);
  #keptBytes = 0;

  /** Of at least this size. */
  take(bytes: number): Buffer {
    const index = sizes.findIndex((size) => size >= bytes);
    if (index < 0) return Buffer.allocUnsafeSlow(bytes);
    const buffer = this.#unused[index]!.pop();
    if (!buffer) return Buffer.allocUnsafeSlow(sizes[index]!);
    this.#keptBytes -= buffer.length;
    return buffer;
  }

  /** For one that was taken and is not used any more. */
  giveBack(buffer: Buffer): void {
    const unused = this.#unused[sizes.indexOf(buffer.length)];
    if (!unused || this.#keptBytes + buffer.length > mostKeptBytes) return;
    unused.push(buffer);
    this.#keptBytes += buffer.length;
  }
}
