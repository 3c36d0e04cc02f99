// Certificates for tests, made by openssl when they are needed and gone with the test's folder.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Pair {
  /** A certificate that this authority has signed, for 127.0.0.1 and localhost. */
  issue(name: string, options?: { readonly days?: number }): Pair;
}

/** Paths of PEM files in the folder. */
export function makeAuthority(folder: string, name: string): Authority {
  const own = pathsOf(folder, name);
  openssl(
    "req",
    "-x509",
    ...newKey(own.key),
    "-subj",
    `/CN=${name}`,
    "-days",
    "2",
    "-out",
    own.cert,
  );
  return { ...own, issue: (of, { days = 2 } = {}) => issue({ folder, own, of, days }) };
}

interface Order {
  readonly folder: string;
  readonly own: Pair;
  readonly of: string;
  readonly days: number;
}

function issue({ folder, own, of, days }: Order): Pair {
  const pair = pathsOf(folder, of);
  const request = join(folder, `${of}.csr`);
  const extensions = join(folder, `${of}.ext`);
  writeFileSync(extensions, "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  openssl("req", "-new", ...newKey(pair.key), "-subj", `/CN=${of}`, "-out", request);
  const signer = ["-CA", own.cert, "-CAkey", own.key, "-CAcreateserial", "-days", String(days)];
  openssl("x509", "-req", "-in", request, ...signer, "-extfile", extensions, "-out", pair.cert);
  return pair;
}

function pathsOf(folder: string, name: string): Pair {
  return { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
}

function newKey(path: string): string[] {
  return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path];
}

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: "pipe" });
}
