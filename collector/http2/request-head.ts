// What a request says in its headers, as far as gRPC asks.

import type { HeaderSink } from "./header-decoder.ts";

export class RequestHead implements HeaderSink {
  method = "";
  path = "";
  contentType = "";
  /** grpc-encoding: how the message is compressed, if it is. */
  encoding = "identity";
  authorization: string | undefined;
  #isRegular = false;
  #isMalformed = false;

  /** By the rules of HTTP/2. */
  get isMalformed(): boolean {
    return this.#isMalformed || this.method === "" || this.path === "";
  }

  header(name: string, value: string): void {
    if (name.charCodeAt(0) === 0x3a) {
      this.#pseudo(name, value);
      return;
    }
    this.#isRegular = true;
    switch (name) {
      case "content-type":
        this.contentType = value;
        break;
      case "grpc-encoding":
        this.encoding = value;
        break;
      case "authorization":
        // Two of them: neither is believed.
        this.authorization = this.authorization === undefined ? value : "";
        break;
      case "connection":
      case "transfer-encoding":
        this.#isMalformed = true;
        break;
      default:
    }
  }

  #pseudo(name: string, value: string): void {
    if (this.#isRegular) this.#isMalformed = true;
    if (name === ":method" && this.method === "") this.method = value;
    else if (name === ":path" && this.path === "") this.path = value;
    else if (name !== ":scheme" && name !== ":authority") this.#isMalformed = true;
  }
}
