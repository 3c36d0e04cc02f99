// Requests to one cluster. What could not be read to its end is no answer; and no message holds a credential.

import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import {
  type Answer as HttpAnswer,
  HttpClient,
  type HttpRequest,
  type NoAnswer,
} from "../http-client.ts";
import type { TlsFiles } from "../tls-files.ts";
import { Nodes } from "./nodes.ts";
import { addressesOf, type Settings } from "./settings.ts";

export type { NoAnswer } from "../http-client.ts";
export type Answer = Pick<HttpAnswer, "kind" | "status" | "body" | "afterMs">;

export interface Request {
  readonly method: HttpRequest["method"];
  /** After a node's address, without a slash at the front. */
  readonly path: string;
  readonly body?: Uint8Array;
  readonly contentType?: string;
}

/** Of 2,500 records, with a long reason each. */
const longestAnswerBytes = 8 * 1024 * 1024;

const zip = promisify(gzip);
const zipOptions = { level: constants.Z_BEST_SPEED };

export class Client {
  readonly #nodes: Nodes;
  /** With what proves who we are to each of them. */
  readonly #headers: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly #http: HttpClient;
  readonly #isCompressed: boolean;

  constructor(settings: Settings, tls?: TlsFiles) {
    const nodes = addressesOf(settings).map((address) => nodeOf(address, settings));
    this.#nodes = new Nodes(nodes.map(({ base }) => base));
    this.#headers = new Map(nodes.map(({ base, headers }) => [base, headers]));
    this.#isCompressed = settings.compression === "gzip";
    this.#http = new HttpClient({
      isTls: nodes[0]!.base.startsWith("https:"), // all of them, or none
      maxConnections: settings.max_in_flight,
      timeoutMs: settings.timeout_ms,
      longestAnswerBytes,
      tls,
    });
  }

  /** How many nodes there are to ask. */
  get nodes(): number {
    return this.#nodes.count;
  }

  /** Of the node whose turn it is. */
  async request(request: Request, signal: AbortSignal): Promise<Answer | NoAnswer> {
    const { method, path, body, contentType } = request;
    const node = this.#nodes.next();
    const headers = {
      ...this.#headers.get(node.base),
      ...(contentType === undefined ? {} : { "content-type": contentType }),
      ...(body && this.#isCompressed ? { "content-encoding": "gzip" } : {}),
    };
    const sent = body && (this.#isCompressed ? await zip(body, zipOptions) : body);
    const answer = await this.#http.send(
      { method, url: new URL(node.base + path), headers, body: sent ? [sent] : [] },
      signal,
    );
    if (answer.kind === "answer" && answer.status < 502) node.answered();
    else if (!signal.aborted) node.failed();
    return answer.kind === "answer" ? (answer.cutBy ?? answer) : answer;
  }

  close(): void {
    this.#http.close();
  }
}

interface NodeAddress {
  readonly base: string;
  readonly headers: Readonly<Record<string, string>>;
}

function nodeOf(address: string, settings: Settings): NodeAddress {
  const url = new URL(address);
  const authorization = authorizationOf(settings, url);
  url.username = url.password = "";
  url.pathname = url.pathname.replace(/\/*$/, "/");
  const headers = { ...settings.headers, ...(authorization ? { authorization } : {}) };
  return { base: url.href, headers };
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
