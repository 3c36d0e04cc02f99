// An answer over HTTP/1.1, read from a socket as it comes.

/** Of a head, as Node has it, and of a line between chunks. */
const mostHead = 16 * 1024;
const mostLine = 1024;

/** What comes next of an answer. */
type Place = "head" | "body" | "rest" | "size" | "chunk" | "chunk end" | "trailers" | "done";

export class HttpAnswerReader {
  /** 0 until the head has been read. */
  status = 0;
  message = "";
  /** By their names in small letters; of several all values, as one list. */
  headers: ReadonlyMap<string, string> = new Map();
  /** More of the body has come than is kept. */
  isCut = false;
  /** Whether the connection may be used again, and for how long the server keeps it if it says so. */
  isKept = false;
  keptMs = Infinity;
  readonly #mostKept: number;
  readonly #body: Buffer[] = [];
  #kept = 0;
  #place: Place = "head";
  /** Of a line or a head that is not whole yet. */
  #begun = "";
  /** Of a body or a chunk. */
  #left = 0;

  /** No more of the body than that is kept. */
  constructor(mostKept: number) {
    this.#mostKept = mostKept;
  }

  /** Nothing has come at all. */
  get isEmpty(): boolean {
    return this.#place === "head" && this.#begun === "";
  }

  get isDone(): boolean {
    return this.#place === "done";
  }

  get body(): Buffer {
    return this.#body.length === 1 ? this.#body[0]! : Buffer.concat(this.#body);
  }

  /** Throws an AnswerError at what is no answer. The bytes may change afterwards. */
  take(bytes: Uint8Array): void {
    const given = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < given.length;) at = this.#step(given, at);
  }

  /** The connection is closed; false where something of the answer is missing. */
  end(): boolean {
    if (this.#place === "rest") this.#place = "done";
    return this.isDone;
  }

  /** Gives how far it has read. */
  #step(bytes: Buffer, at: number): number {
    switch (this.#place) {
      case "head":
        return this.#untilEmptyLine(bytes, at);
      case "body":
        return this.#read(bytes, at, "done");
      case "chunk":
        return this.#read(bytes, at, "chunk end");
      case "rest":
        this.#keep(bytes.subarray(at));
        return bytes.length;
      case "size":
        return this.#line(bytes, at, (line) => this.#readSize(line));
      case "chunk end":
        return this.#line(bytes, at, () => void (this.#place = "size"));
      case "trailers":
        return this.#line(bytes, at, (line) => {
          if (line === "") this.#place = "done";
        });
      case "done":
        this.isKept = false; // nobody has asked for more
        return bytes.length;
      default:
        return this.#place satisfies never;
    }
  }

  #read(bytes: Buffer, at: number, next: Place): number {
    const part = bytes.subarray(at, at + this.#left);
    this.#keep(part);
    this.#left -= part.length;
    if (this.#left === 0) this.#place = next;
    return at + part.length;
  }

  #keep(part: Buffer): void {
    const kept = part.subarray(0, this.#mostKept - this.#kept);
    if (kept.length < part.length) this.isCut = true;
    if (kept.length === 0) return;
    this.#body.push(Buffer.from(kept));
    this.#kept += kept.length;
  }

  #line(bytes: Buffer, at: number, read: (line: string) => void): number {
    const end = bytes.indexOf(lineEnd, at);
    this.#begun += bytes.toString("latin1", at, end === -1 ? bytes.length : end);
    if (this.#begun.length > mostLine) throw new AnswerError("its answer has too long a line");
    if (end === -1) return bytes.length;
    const line = this.#begun.endsWith("\r") ? this.#begun.slice(0, -1) : this.#begun;
    this.#begun = "";
    read(line);
    return end + 1;
  }

  #untilEmptyLine(bytes: Buffer, at: number): number {
    const before = this.#begun.length;
    // Not all that has come, which may be most of the body.
    const all = this.#begun + bytes.toString("latin1", at, at + mostHead + headEnd.length);
    const end = all.indexOf(headEnd);
    if ((end === -1 ? all.length : end) > mostHead) {
      throw new AnswerError("its answer has too long a head");
    }
    // Told at once: a server of another protocol may wait for us after its greeting.
    if (!all.startsWith(protocol.slice(0, all.length))) throw new AnswerError(noHttp);
    if (end === -1) {
      this.#begun = all;
      return bytes.length;
    }
    this.#begun = "";
    this.#readHead(all.slice(0, end));
    return at + end + headEnd.length - before;
  }

  #readHead(head: string): void {
    const [first = "", ...lines] = head.split("\r\n");
    const [, minor, status, message = ""] = /^HTTP\/1\.([01]) (\d{3})(?: (.*))?$/.exec(first) ?? [];
    if (status === undefined) throw new AnswerError(noHttp);
    if (status === "101") throw new AnswerError("it answers in another protocol");
    if (Number(status) < 200) return; // the answer follows
    const headers = headersIn(lines);
    this.#place = this.#placeOfBody(status, headers);
    this.isKept =
      this.#place !== "rest" && // whose end is that of the connection
      minor === "1" &&
      !/\bclose\b/i.test(headers.get("connection") ?? "");
    const kept = /\btimeout=(\d+)/i.exec(headers.get("keep-alive") ?? "")?.[1];
    if (kept !== undefined) this.keptMs = Number(kept) * 1000;
    this.status = Number(status);
    this.message = message;
    this.headers = headers;
  }

  #placeOfBody(status: string, headers: ReadonlyMap<string, string>): Place {
    if (status === "204" || status === "304") return "done";
    const coding = headers.get("transfer-encoding");
    if (coding !== undefined && /\bchunked$/i.test(coding)) return "size";
    const length = headers.get("content-length");
    if (coding !== undefined || length === undefined) return "rest";
    if (!/^\d{1,15}$/.test(length)) throw new AnswerError("its answer has no length");
    this.#left = Number(length);
    return this.#left === 0 ? "done" : "body";
  }

  #readSize(line: string): void {
    const size = /^[\da-f]{1,12}(?=$|[ \t;])/i.exec(line)?.[0];
    if (size === undefined) throw new AnswerError("its answer has a chunk without a size");
    this.#left = Number.parseInt(size, 16);
    this.#place = this.#left === 0 ? "trailers" : "chunk";
  }
}

/** What came is no answer. */
export class AnswerError extends Error {}

const noHttp = "it does not answer in HTTP/1.1";
const protocol = "HTTP/1.";
const lineEnd = 0x0a;
const headEnd = "\r\n\r\n";

function headersIn(lines: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon <= 0) throw new AnswerError("its answer has a line that is no header");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}
