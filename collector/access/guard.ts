// Access that asks: TLS, client certificates, a bearer token. The files are read again when they change,
// found out by looking now and then: Kubernetes swaps a link, others write in place, and watching
// serves neither well. A new set that cannot be used leaves the old one in force.

import type { Server as HttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer, type Server } from "node:net";
import {
  createServer as createTlsServer,
  type Server as TlsServer,
  type TlsOptions,
} from "node:tls";
import { type Gate, openAccess } from "../access.ts";
import { ConfigError } from "../config/problem.ts";
import type { Incidents } from "../telemetry/incidents.ts";
import { type Credentials, type Paths, readCredentials, stampOf } from "./files.ts";
import { Token } from "./token.ts";

export interface GuardSettings {
  readonly authToken?: string | undefined;
  readonly authTokenFile?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsClientCa?: string | undefined;
}

const lookMs = 2_000;
const handshakeMs = 10_000;
/** In looks: a pair is replaced one file after the other, and between the two it does not fit. */
const patience = 2;

export function openGuard(settings: GuardSettings, incidents: Incidents, everyMs = lookMs): Gate {
  const paths: Paths = {
    tls_cert: settings.tlsCert,
    tls_key: settings.tlsKey,
    tls_client_ca: settings.tlsClientCa,
    auth_token_file: settings.authTokenFile,
  };
  const read = readCredentials(paths);
  if (Array.isArray(read)) {
    throw new ConfigError(read.map(({ name, words }) => `${name}: ${paths[name]} ${words}`));
  }
  const guard = new Guard(read, settings.authToken);
  const isOfFiles = Object.values(paths).some((path) => path !== undefined);
  if (isOfFiles) guard.follow(paths, incidents, everyMs);
  return guard;
}

class Guard implements Gate {
  readonly isTls: boolean;
  readonly connectionEvent: "connection" | "secureConnection";
  #credentials: Credentials;
  readonly #token: Token | undefined;
  readonly #servers = new Set<TlsServer>();
  #timer: NodeJS.Timeout | undefined;
  /** Of the files as they are in force. */
  #stamp = "";
  #failures = 0;

  constructor(credentials: Credentials, authToken: string | undefined) {
    this.#credentials = credentials;
    this.isTls = credentials.tls !== undefined;
    this.connectionEvent = this.isTls ? "secureConnection" : "connection";
    const token = authToken ?? credentials.token;
    this.#token = token === undefined ? undefined : new Token(token);
  }

  createServer(protocols: readonly string[]): Server {
    if (!this.#credentials.tls) return createServer({ noDelay: true });
    return this.#secure(createTlsServer(this.#tlsOptions(protocols)));
  }

  createHttpServer: Gate["createHttpServer"] = (options, listener): HttpServer => {
    if (!this.#credentials.tls) return openAccess.createHttpServer(options, listener);
    const all = { ...options, ...this.#tlsOptions(["http/1.1"]) };
    return this.#secure(createHttpsServer(all, listener));
  };

  allows(authorization: string | undefined): boolean {
    return this.#token === undefined || this.#token.isIn(authorization);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  follow(paths: Paths, incidents: Incidents, everyMs: number): void {
    this.#stamp = stampOf(paths);
    this.#timer = setInterval(() => this.#look(paths, incidents), everyMs);
    this.#timer.unref();
  }

  #look(paths: Paths, incidents: Incidents): void {
    const stamp = stampOf(paths);
    if (stamp === this.#stamp) return;
    const read = readCredentials(paths);
    if (!Array.isArray(read)) {
      this.#failures = 0;
      this.#stamp = stamp;
      this.#replace(read);
      return;
    }
    if (++this.#failures !== patience) return;
    for (const { name, words } of read) {
      incidents.credentialsNotReplaced(name, `${paths[name]} ${words}`);
    }
  }

  #replace(credentials: Credentials): void {
    this.#credentials = credentials;
    if (credentials.token !== undefined) this.#token?.replace(credentials.token);
    for (const server of this.#servers) server.setSecureContext(credentials.tls ?? {});
  }

  /** A client that sends no certificate of the right authority does not get through the handshake. */
  #tlsOptions(protocols: readonly string[]): TlsOptions {
    const { tls } = this.#credentials;
    const asksClients = tls?.ca !== undefined;
    return {
      ...tls,
      ALPNProtocols: [...protocols],
      handshakeTimeout: handshakeMs,
      noDelay: true,
      requestCert: asksClients,
      rejectUnauthorized: asksClients,
    };
  }

  /** Will be given new certificates. */
  #secure<Secured extends TlsServer>(server: Secured): Secured {
    this.#servers.add(server);
    server.once("close", () => this.#servers.delete(server));
    return server;
  }
}
