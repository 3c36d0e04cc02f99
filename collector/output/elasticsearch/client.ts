// Requests to one server. What could not be read to its end is no answer; and no message holds a credential.

import {
  type Answer as HttpAnswer,
  HttpClient,
  type HttpRequest,
  type NoAnswer,
} from "../http-client.ts";
import type { Settings } from "./settings.ts";

export type { NoAnswer } from "../http-client.ts";
export type Answer = Pick<HttpAnswer, "kind" | "status" | "body" | "afterMs">;

export interface Request {
  readonly method: HttpRequest["method"];
  /** After the settings' url, without a slash at the front. */
  readonly path: string;
  readonly body?: Uint8Array;
  readonly contentType?: string;
}

/** Of 2,000 records, with a reason each. */
const longestAnswerBytes = 8 * 1024 * 1024;
const maxConnections = 4;

export class Client {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #http: HttpClient;

  constructor(settings: Settings) {
    const url = new URL(settings.url);
    const authorization = authorizationOf(settings, url);
    url.username = url.password = "";
    url.pathname = url.pathname.replace(/\/*$/, "/");
    this.#base = url.href;
    this.#headers = authorization === undefined ? {} : { authorization };
    this.#http = new HttpClient({
      isTls: url.protocol === "https:",
      maxConnections,
      timeoutMs: settings.timeout_ms,
      longestAnswerBytes,
    });
  }

  async request(request: Request, signal: AbortSignal): Promise<Answer | NoAnswer> {
    const { method, path, body, contentType } = request;
    const url = new URL(this.#base + path);
    const headers = {
      ...this.#headers,
      ...(contentType === undefined ? {} : { "content-type": contentType }),
    };
    const answer = await this.#http.send(
      { method, url, headers, body: body ? [body] : [] },
      signal,
    );
    return answer.kind === "answer" ? (answer.cutBy ?? answer) : answer;
  }

  close(): void {
    this.#http.close();
  }
}

function authorizationOf(settings: Settings, url: URL): string | undefined {
  const { api_key: apiKey } = settings;
  if (apiKey !== undefined) return `ApiKey ${apiKey.includes(":") ? base64(apiKey) : apiKey}`;
  const username = settings.username ?? decodeURIComponent(url.username);
  const password = settings.password ?? decodeURIComponent(url.password);
  return username || password ? `Basic ${base64(`${username}:${password}`)}` : undefined;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
