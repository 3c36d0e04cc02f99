// The files that say who may come in: read, checked, and made into what TLS needs. A problem names the
// setting, so that it can be told at start and, when a file has changed for the worse, later on.

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { createSecureContext } from "node:tls";
import { readText } from "../config/file.ts";
import { problemOfToken } from "./token.ts";

/** The settings, in the names of sonde.yaml. */
export interface Paths {
  readonly tls_cert?: string | undefined;
  readonly tls_key?: string | undefined;
  readonly tls_client_ca?: string | undefined;
  readonly auth_token_file?: string | undefined;
}

const names = ["tls_cert", "tls_key", "tls_client_ca", "auth_token_file"] as const;
export type PathName = (typeof names)[number];

export interface Problem {
  readonly name: PathName;
  /** They follow the path. */
  readonly words: string;
}

export interface Credentials {
  /** What TLS takes; undefined without tls_cert. */
  readonly tls: { readonly cert: string; readonly key: string; readonly ca?: string } | undefined;
  /** What is in auth_token_file. */
  readonly token: string | undefined;
}

const maxFileBytes = 1 << 20;

export function readCredentials(paths: Paths, cwd = process.cwd()): Credentials | Problem[] {
  const problems: Problem[] = [];
  const texts: Partial<Record<PathName, string>> = {};
  for (const name of names) {
    const path = paths[name];
    if (path === undefined) continue;
    const read = readText(resolve(cwd, path), maxFileBytes);
    if ("problem" in read) problems.push({ name, words: read.problem });
    else texts[name] = read.text;
  }
  const { tls_cert: cert, tls_key: key, tls_client_ca: ca, auth_token_file: tokenFile } = texts;
  const token = tokenFile?.replace(/\r?\n$/, "");
  const wrongToken = token === undefined ? undefined : problemOfToken(token);
  if (wrongToken) problems.push({ name: "auth_token_file", words: wrongToken });
  if (ca !== undefined) problems.push(...problemsOfClientCa(ca));
  if (cert !== undefined && key !== undefined) problems.push(...problemsOfPair(cert, key, paths));
  if (problems.length > 0) return problems;
  const isTls = cert !== undefined && key !== undefined;
  const tls = isTls ? { cert, key, ...(ca === undefined ? {} : { ca }) } : undefined;
  return { tls, token };
}

/** Another one when a file has changed, or the link that leads to it. */
export function stampOf(paths: Paths): string {
  const stamps = names.map((name) => {
    const path = paths[name];
    const stat = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
    return stat ? `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}` : "-";
  });
  return stamps.join(",");
}

function problemsOfPair(cert: string, key: string, { tls_cert: path }: Paths): Problem[] {
  const certificate = certificatesIn(cert)?.[0];
  if (!certificate) return [{ name: "tls_cert", words: "has no certificate in PEM form" }];
  const privateKey = keyIn(key);
  if (!privateKey) {
    return [{ name: "tls_key", words: "has no private key in PEM form that needs no password" }];
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    return [{ name: "tls_key", words: `is not the key of the certificate in ${path}` }];
  }
  try {
    createSecureContext({ cert, key });
    return [];
  } catch (error) {
    return [{ name: "tls_cert", words: `cannot be used: ${(error as Error).message}` }];
  }
}

function problemsOfClientCa(ca: string): Problem[] {
  if ((certificatesIn(ca)?.length ?? 0) > 0) return [];
  return [{ name: "tls_client_ca", words: "has no certificates in PEM form" }];
}

/** Undefined when one of them cannot be read. */
function certificatesIn(pem: string): X509Certificate[] | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    return undefined;
  }
}

function keyIn(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
