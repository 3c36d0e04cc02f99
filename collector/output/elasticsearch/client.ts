// Requests to one server. What could not be read to its end is no answer; and no message holds a credential.

import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import {
  type Answer as HttpAnswer,
  HttpClient,
  type HttpRequest,
  type NoAnswer,
} from "../http-client.ts";
import type { TlsFiles } from "../tls-files.ts";
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

const zip = promisify(gzip);
const zipOptions = { level: constants.Z_BEST_SPEED };

export class Client {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #http: HttpClient;
  readonly #isCompressed: boolean;

  constructor(settings: Settings, tls?: TlsFiles) {
    const url = new URL(settings.url);
    const authorization = authorizationOf(settings, url);
    url.username = url.password = "";
    url.pathname = url.pathname.replace(/\/*$/, "/");
    this.#base = url.href;
    this.#headers = { ...settings.headers, ...(authorization ? { authorization } : {}) };
    this.#isCompressed = settings.compression === "gzip";
    this.#http = new HttpClient({
      isTls: url.protocol === "https:",
      maxConnections,
      timeoutMs: settings.timeout_ms,
      longestAnswerBytes,
      tls,
    });
  }

  async request(request: Request, signal: AbortSignal): Promise<Answer | NoAnswer> {
    const { method, path, body, contentType } = request;
    const url = new URL(this.#base + path);
    const headers = {
      ...this.#headers,
      ...(contentType === undefined ? {} : { "content-type": contentType }),
      ...(body && this.#isCompressed ? { "content-encoding": "gzip" } : {}),
    };
    const sent = body && (this.#isCompressed ? await zip(body, zipOptions) : body);
    const answer = await this.#http.send(
      { method, url, headers, body: sent ? [sent] : [] },
      signal,
    );
    return answer.kind === "answer" ? (answer.cutBy ?? answer) : answer;
  }

  close(): void {
    this.#http.close();
  }
}

function authorizationOf(settings: Settings, url: URL): string | undefined {
  const { api_key: apiKey, token } = settings;
  if (token !== undefined) return `Bearer ${token}`;
  if (apiKey !== undefined) return `ApiKey ${apiKey.includes(":") ? base64(apiKey) : apiKey}`;
  const username = settings.username ?? decodeURIComponent(url.username);
  const password = settings.password ?? decodeURIComponent(url.password);
  return username || password ? `Basic ${base64(`${username}:${password}`)}` : undefined;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
