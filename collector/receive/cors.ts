// Web pages that send by OTLP/HTTP. A browser says with `origin` which page a request is from; a page that
// nobody has named is refused, also on loopback, where any page in the user's browser could reach us.

import type { Head } from "../http1/head.ts";
import { Reply } from "../http1/reply.ts";

export type CorsHeaders = Readonly<Record<string, string>>;

/** Of a request that is from no page. */
export const noHeaders: CorsHeaders = {};
const maxAgeS = "7200";

export class Cors {
  readonly #isAny: boolean;
  readonly #origins: ReadonlySet<string>;

  /** "*" is every page. */
  constructor(origins: readonly string[]) {
    this.#isAny = origins.includes("*");
    this.#origins = new Set(origins);
  }

  /** What an answer needs so that the page may read it; undefined for a page that may not send. */
  headersFor({ headers }: Head): CorsHeaders | undefined {
    const origin = headers.get("origin");
    if (origin === undefined) return noHeaders;
    if (!this.#isAny && !this.#origins.has(origin)) return undefined;
    return {
      "access-control-allow-origin": this.#isAny ? "*" : origin,
      "access-control-expose-headers": "retry-after",
      ...(this.#isAny ? {} : { vary: "origin" }),
    };
  }

  /** To a browser that asks whether it may send, which it does without any credentials. */
  preflight({ headers }: Head, allowed: CorsHeaders): Reply {
    const asked = headers.get("access-control-request-headers") ?? "";
    const isList = /^[\w\-, ]{1,1000}$/.test(asked);
    const isPrivate = headers.get("access-control-request-private-network") === "true";
    return new Reply({
      status: 204,
      headers: {
        ...allowed,
        "access-control-allow-methods": "POST",
        ...(isList ? { "access-control-allow-headers": asked } : {}),
        ...(isPrivate ? { "access-control-allow-private-network": "true" } : {}),
        "access-control-max-age": maxAgeS,
      },
    });
  }
}
