// An HTTP client that sends whatever it is told to, well formed or not.

import { connect, type Socket } from "node:net";
import { until } from "./until.ts";

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export class RawClient {
  readonly socket: Socket;
  isClosed = false;
  #received = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => (this.#received = Buffer.concat([this.#received, chunk])));
    socket.on("error", () => {});
    socket.on("close", () => (this.isClosed = true));
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const client = new RawClient(socket);
    await new Promise((resolve) => socket.once("connect", resolve));
    return client;
  }

  get text(): string {
    return this.#received.toString("latin1");
  }

  /** Those that have come whole, without the interim ones. */
  get answers(): RawAnswer[] {
    return answersIn(this.text);
  }

  send(bytes: Uint8Array | string): void {
    this.socket.write(bytes);
  }

  async answer(count = 1): Promise<RawAnswer> {
    return await until(
      `answer ${count}, but there is: ${this.text}`,
      () => this.answers[count - 1],
    );
  }

  async closed(): Promise<void> {
    await until("the connection is closed", () => this.isClosed);
  }
}

export function answersIn(text: string): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = text;
  for (;;) {
    const end = rest.indexOf("\r\n\r\n");
    if (end < 0) return answers;
    const [line = "", ...lines] = rest.slice(0, end).split("\r\n");
    const headers = Object.fromEntries(
      lines.map((header) => header.split(/: ?(.*)/s).slice(0, 2) as [string, string]),
    );
    const status = Number(line.split(" ")[1]);
    const length = Number(headers["content-length"] ?? 0);
    const body = rest.slice(end + 4, end + 4 + length);
    if (body.length < length) return answers;
    rest = rest.slice(end + 4 + length);
    if (status >= 200) answers.push({ status, headers, body });
  }
}
