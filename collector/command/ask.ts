// Asking the collector that runs with the same settings: where it listens, the token, TLS. All of that
// is known here only.

import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { resolve } from "node:path";
import type { Config } from "../config/schema.ts";
import { authority } from "../listen.ts";
import { findCollector } from "../presence.ts";

/** What a listener may ask for, where it can be set. */
export type Secured = Pick<Config, "dataDir" | "host" | "webPort"> & {
  readonly authToken?: string | undefined;
  readonly authTokenFile?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsClientCa?: string | undefined;
};

export type Answer =
  | { readonly kind: "answer"; readonly body: unknown; readonly note: string }
  /** It runs, or something else does, and does not do what it was asked to. */
  | { readonly kind: "refused"; readonly error: string }
  /** No collector runs, or one without a web port. */
  | { readonly kind: "nobody"; readonly pid?: number };

export interface Question {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
}

const longestAnswerBytes = 256 << 20;

export async function ask(config: Secured, question: Question): Promise<Answer> {
  const found = await findCollector(config.dataDir);
  if (found && found.url === undefined) return { kind: "nobody", pid: found.pid };
  const url = found?.url ?? configured(config);
  if (url === undefined) return { kind: "nobody" };
  try {
    return await exchange(reachable(url), config, question);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ECONNREFUSED" && !found) return { kind: "nobody" };
    return { kind: "refused", error: `${url}: ${message || code}` };
  }
}

function configured(config: Secured): string | undefined {
  const { host, webPort } = config;
  if (webPort === "off" || webPort === 0) return undefined;
  return `${config.tlsCert ? "https" : "http"}://${authority(host, webPort)}`;
}

/** Who listens on all addresses is reached on this machine's own. */
export function reachable(url: string): URL {
  const reached = new URL(url);
  if (reached.hostname === "0.0.0.0") reached.hostname = "127.0.0.1";
  if (reached.hostname === "[::]") reached.hostname = "[::1]";
  return reached;
}

async function exchange(base: URL, config: Secured, question: Question): Promise<Answer> {
  const { method, path, body } = question;
  const isTls = base.protocol === "https:";
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const token = await tokenOf(config);
  const options: RequestOptions = {
    method,
    agent: false,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(payload === undefined
        ? {}
        : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) }),
    },
    ...(isTls ? await pinned(config) : {}),
  };
  const { status, headers, text } = await new Promise<Exchanged>((done, failed) => {
    const request = (isTls ? httpsRequest : httpRequest)(new URL(path, base), options);
    request.on("error", failed);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size > longestAnswerBytes) response.destroy(new Error("its answer has no end"));
      });
      response.on("error", failed);
      response.on("end", () => {
        const { statusCode: status = 0, headers } = response;
        done({ status, headers, text: Buffer.concat(chunks).toString("utf8") });
      });
    });
    request.end(payload);
  });
  const dataDir = headers["x-sonde-data-dir"];
  const answer = parse(text);
  if (status === 401) {
    return refused(`${base.origin} asks for a token; set auth_token as the collector has it`);
  }
  if (answer === undefined || typeof dataDir !== "string") {
    return refused(
      `what answers at ${base.origin} is no collector of this version (HTTP ${status})`,
    );
  }
  if (status !== 200) return refused((answer as { error?: string }).error ?? `HTTP ${status}`);
  const folder = decodeURI(dataDir);
  const isOther = folder !== resolve(config.dataDir);
  return {
    kind: "answer",
    body: answer,
    note: isOther ? `asked ${base.origin}, data in ${folder}` : "",
  };
}

interface Exchanged {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

const refused = (error: string): Answer => ({ kind: "refused", error });

export async function tokenOf({ authToken, authTokenFile }: Secured): Promise<string | undefined> {
  if (authToken !== undefined || authTokenFile === undefined) return authToken;
  return (await readFile(authTokenFile, "utf8")).trim();
}

/**
 * Exactly the certificate that the settings name is trusted, whatever names stand in it. Where clients
 * need one, the collector's own is shown: it is the only one that the settings know.
 */
async function pinned({ tlsCert, tlsKey, tlsClientCa }: Secured): Promise<RequestOptions> {
  if (!tlsCert) return {};
  const ca = await readFile(tlsCert, "utf8");
  const { fingerprint256 } = new X509Certificate(ca);
  return {
    ca,
    ...(tlsClientCa && tlsKey ? { cert: ca, key: await readFile(tlsKey, "utf8") } : {}),
    allowPartialTrustChain: true,
    checkServerIdentity: (_, peer) =>
      peer.fingerprint256 === fingerprint256
        ? undefined
        : new Error("it shows another certificate than tls_cert"),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
