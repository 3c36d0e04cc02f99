// The bearer token. What is compared is a hash of each, so that neither how long the comparison takes nor
// where it ends says anything about the token.

import { createHash, timingSafeEqual } from "node:crypto";

export class Token {
  #hash: Buffer;

  constructor(token: string) {
    this.#hash = hashOf(token);
  }

  replace(token: string): void {
    this.#hash = hashOf(token);
  }

  /** `authorization` as it stands in a header. */
  isIn(authorization: string | undefined): boolean {
    const given = /^bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
    return given !== undefined && timingSafeEqual(hashOf(given), this.#hash);
  }
}

/** What is wrong with a token, in words that follow its name. */
export function problemOfToken(token: string): string | undefined {
  if (token === "") return "is empty";
  if (token.length > 4096) return "is too long, at most 4096 characters are allowed";
  if (!/^[\x21-\x7e]+$/.test(token)) return "has a space or a character that no header can carry";
  return undefined;
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
