// The tables of HPACK (RFC 7541): the static one of appendix A and the dynamic one that a sender fills.

/** Name and value, the first of them at index 1. */
export const staticTable: readonly (readonly [name: string, value: string])[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language", ""],
  ["accept-ranges", ""],
  ["accept", ""],
  ["access-control-allow-origin", ""],
  ["age", ""],
  ["allow", ""],
  ["authorization", ""],
  ["cache-control", ""],
  ["content-disposition", ""],
  ["content-encoding", ""],
  ["content-language", ""],
  ["content-length", ""],
  ["content-location", ""],
  ["content-range", ""],
  ["content-type", ""],
  ["cookie", ""],
  ["date", ""],
  ["etag", ""],
  ["expect", ""],
  ["expires", ""],
  ["from", ""],
  ["host", ""],
  ["if-match", ""],
  ["if-modified-since", ""],
  ["if-none-match", ""],
  ["if-range", ""],
  ["if-unmodified-since", ""],
  ["last-modified", ""],
  ["link", ""],
  ["location", ""],
  ["max-forwards", ""],
  ["proxy-authenticate", ""],
  ["proxy-authorization", ""],
  ["range", ""],
  ["referer", ""],
  ["refresh", ""],
  ["retry-after", ""],
  ["server", ""],
  ["set-cookie", ""],
  ["strict-transport-security", ""],
  ["transfer-encoding", ""],
  ["user-agent", ""],
  ["vary", ""],
  ["via", ""],
  ["www-authenticate", ""],
];

/** What an entry counts for beside its name and value; also in the limit on a whole list of headers. */
export const entryOverhead = 32;

export interface HeaderField {
  readonly name: string;
  readonly value: string;
  readonly size: number;
  /** False if the name is none. The table has it all the same, for who speaks of it again. */
  readonly isSound: boolean;
}

/** The newest entry has the lowest index. Kept as a ring, so that adding moves nothing. */
export class DynamicTable {
  #maxSize: number;
  #size = 0;
  #count = 0;
  #next = 0;
  readonly #ring: (HeaderField | undefined)[];

  constructor(maxSize: number) {
    this.#maxSize = maxSize;
    this.#ring = Array.from({ length: Math.ceil(maxSize / entryOverhead) + 1 });
  }

  /** Not above what the table was made with. */
  resize(maxSize: number): void {
    this.#maxSize = maxSize;
    this.#evictFor(0);
  }

  /** An entry larger than the table empties it, and is no error. */
  add(field: HeaderField): void {
    this.#evictFor(field.size);
    if (field.size > this.#maxSize) return;
    this.#ring[this.#next] = field;
    this.#next = (this.#next + 1) % this.#ring.length;
    this.#count++;
    this.#size += field.size;
  }

  /** From 0, the newest. */
  get(index: number): HeaderField | undefined {
    if (index >= this.#count) return undefined;
    return this.#ring[(this.#next - 1 - index + this.#ring.length) % this.#ring.length];
  }

  #evictFor(size: number): void {
    while (this.#count > 0 && this.#size + size > this.#maxSize) {
      const oldest = (this.#next - this.#count + this.#ring.length) % this.#ring.length;
      this.#size -= this.#ring[oldest]!.size;
      this.#ring[oldest] = undefined;
      this.#count--;
    }
  }
}
