// Certificates for tests, made on the spot by Node alone: X.509 in DER, as far as TLS needs it. Files in
// a folder, since that is how they are given.

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Paths of PEM files. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Pair {
  /** A certificate that this authority has signed, for 127.0.0.1 and localhost. */
  issue(name: string, options?: { readonly days?: number }): Pair;
}

export function makeAuthority(folder: string, name: string): Authority {
  const keys = makeKeys();
  const issuer = { name, key: keys.privateKey };
  const own = write(folder, { name, keys, issuer, isAuthority: true, days: 2 });
  return {
    ...own,
    issue: (of, { days = 2 } = {}) =>
      write(folder, { name: of, keys: makeKeys(), issuer, isAuthority: false, days }),
  };
}

interface Order {
  readonly name: string;
  readonly keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly issuer: { readonly name: string; readonly key: KeyObject };
  readonly isAuthority: boolean;
  readonly days: number;
}

const makeKeys = (): Order["keys"] => generateKeyPairSync("ec", { namedCurve: "prime256v1" });

function write(folder: string, order: Order): Pair {
  const pair = { cert: join(folder, `${order.name}.pem`), key: join(folder, `${order.name}.key`) };
  const lines = certificate(order)
    .toString("base64")
    .replaceAll(/.{64}(?=.)/g, "$&\n");
  writeFileSync(pair.cert, `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`);
  writeFileSync(pair.key, order.keys.privateKey.export({ type: "pkcs8", format: "pem" }));
  return pair;
}

function certificate({ name, keys, issuer, isAuthority, days }: Order): Buffer {
  const ecdsaWithSha256 = sequence(oid("2a8648ce3d040302"));
  const yes = der(0x01, Buffer.from([0xff]));
  const constraints = sequence(
    oid("551d13"),
    yes,
    octets(isAuthority ? sequence(yes) : sequence()),
  );
  const address = der(0x87, Buffer.from([127, 0, 0, 1]));
  const names = sequence(der(0x82, Buffer.from("localhost")), address);
  const now = Date.now();
  const signed = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    distinguished(issuer.name),
    sequence(time(now - 3_600_000), time(now + days * 86_400_000)),
    distinguished(name),
    keys.publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(constraints, sequence(oid("551d11"), octets(names)))),
  );
  const signature = Buffer.concat([Buffer.from([0]), sign("sha256", signed, issuer.key)]);
  return sequence(signed, ecdsaWithSha256, der(0x03, signature));
}

function der(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  if (length < 128) return Buffer.concat([Buffer.from([tag, length]), content]);
  const size = length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: Uint8Array[]): Buffer => der(0x30, Buffer.concat(parts));
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, "hex"));
const octets = (content: Uint8Array): Buffer => der(0x04, content);
const distinguished = (name: string): Buffer =>
  sequence(der(0x31, sequence(oid("550403"), der(0x0c, Buffer.from(name)))));

/** 20260131235959Z */
function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return der(0x18, Buffer.from(text));
}
