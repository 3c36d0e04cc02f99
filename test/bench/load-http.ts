// The sender's HTTP/1.1: requests over a kept connection, one after the other, and no more of the
// answer than its status and where it ends.

import { connect as open, type Socket } from "node:net";
import { once } from "node:events";
import type { Signal } from "../../collector/wire/batch.ts";
import type { Client, Clients } from "./load.ts";

interface Destination {
  /** Of the collector. */
  readonly url: string;
  readonly signal: Signal;
}

export function httpClients({ url, signal }: Destination): Clients {
  const { hostname, port, host } = new URL(url);
  return {
    async connect() {
      const client = new HttpClient({ host: hostname, port: Number(port) });
      await client.open();
      return client;
    },
    pack(request) {
      const head = [
        `POST /v1/${signal} HTTP/1.1`,
        `host: ${host}`,
        "user-agent: sonde-bench",
        "content-type: application/x-protobuf",
        `content-length: ${request.length}`,
      ];
      return Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), request]);
    },
  };
}

class HttpClient implements Client {
  readonly #address: { readonly host: string; readonly port: number };
  #socket: Socket | undefined;
  /** Of the answer under way: what has come of it. */
  #text = "";
  #settle: { resolve(isTaken: boolean): void; reject(error: Error): void } | undefined;
  /** Ends with the last request that was given to this connection. */
  #last: Promise<unknown> | undefined;

  constructor(address: { readonly host: string; readonly port: number }) {
    this.#address = address;
  }

  async open(): Promise<Socket> {
    const socket = open({ ...this.#address, noDelay: true });
    socket.setEncoding("latin1");
    await once(socket, "connect");
    socket.on("data", (text: string) => this.#read(text));
    socket.on("error", (error) => this.#settle?.reject(error));
    socket.on("close", () => {
      if (this.#socket === socket) this.#socket = undefined;
      this.#settle?.reject(new Error("the collector closed a connection instead of answering"));
    });
    this.#socket = socket;
    return socket;
  }

  async send(request: Buffer): Promise<boolean> {
    while (this.#last) await this.#last; // its turn has come while it was busy
    const exchange = this.#exchange(request);
    this.#last = exchange.catch(() => {}).finally(() => (this.#last = undefined));
    return await exchange;
  }

  close(): void {
    this.#socket?.destroy();
  }

  async #exchange(request: Buffer): Promise<boolean> {
    const socket = this.#socket ?? (await this.open());
    return await new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      socket.write(request);
    });
  }

  #read(text: string): void {
    this.#text += text;
    const end = this.#text.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = this.#text.slice(0, end).toLowerCase();
    const body = this.#text.length - end - 4;
    const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
    const isWhole = length ? body >= Number(length) : this.#text.endsWith("0\r\n\r\n");
    const settle = this.#settle;
    if (!isWhole || !settle) return;
    this.#text = "";
    this.#settle = undefined;
    if (head.includes("\r\nconnection: close")) {
      this.#socket?.destroy();
      this.#socket = undefined;
    }
    const status = Number(head.slice(9, 12));
    if (status === 200) settle.resolve(true);
    else if (status === 429 || status === 503) settle.resolve(false);
    else settle.reject(new Error(`the collector answered HTTP ${status}`));
  }
}
