import { Duplex } from "node:stream";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Outbox } from "../../../collector/http2/outbox.ts";

/** A socket that reads what it was given when a test lets it, not when it was given it. */
class SlowSocket extends Duplex {
  readonly sent: Buffer[] = [];
  #next: (() => void) | undefined;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#next = () => {
      this.sent.push(Buffer.from(chunk));
      done();
    };
  }

  /** False when there is nothing. */
  takeOne(): boolean {
    const next = this.#next;
    this.#next = undefined;
    next?.();
    return next !== undefined;
  }

  get sentBytes(): number {
    return this.sent.reduce((sum, { length }) => sum + length, 0);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("what was put in goes out as it was, however slowly it is taken", async () => {
  const puts = fc.array(fc.constantFrom(1, 9, 100, 3000, 4096, 5000), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(puts, fc.nat(6)), { minLength: 1, maxLength: 30 }),
      async (turns) => {
        const socket = new SlowSocket();
        const outbox = new Outbox(socket, 4096);
        const expected: Buffer[] = [];
        for (const [sizes, taken] of turns) {
          for (const size of sizes) {
            const bytes = Buffer.alloc(size, expected.length % 251);
            outbox.bytes(bytes);
            expected.push(bytes);
          }
          await turn();
          for (let count = 0; count < taken; count++) socket.takeOne();
          await turn();
          expect(outbox.putBytes - outbox.waitingBytes).toBe(socket.sentBytes);
        }
        while (socket.takeOne()) await turn();
        expect(Buffer.concat(socket.sent).equals(Buffer.concat(expected))).toBe(true);
        expect(outbox.waitingBytes).toBe(0);
      },
    ),
    { numRuns: 60 },
  );
});

test("as long as the socket keeps up, the same memory is used again and again", async () => {
  const slabs = new Set<ArrayBufferLike>();
  const socket = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      slabs.add(chunk.buffer);
      done();
    },
  });
  const outbox = new Outbox(socket, 4096);
  for (let count = 0; count < 100; count++) {
    outbox.bytes(Buffer.alloc(1000));
    await turn();
  }
  expect(slabs.size).toBe(1);
});
