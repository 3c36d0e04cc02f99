// The files that a TLS client needs: whom it trusts, and who it is. They are read again when they have
// changed, so that certificates can be renewed while the collector runs; what is in use stays in use as
// long as new ones cannot be read, for they may be half written.

import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { OutputContext } from "./output.ts";

/** As the OTEL_EXPORTER_OTLP_… variables have them: paths of PEM files. */
export interface TlsSettings {
  readonly certificate?: string | undefined;
  readonly client_certificate?: string | undefined;
  readonly client_key?: string | undefined;
}

/** What Node's tls.connect() takes. */
export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Those of an output; undefined where its address has no TLS. */
export function tlsFilesOf(
  settings: TlsSettings & { readonly url: string },
  { name, incidents }: Pick<OutputContext, "name" | "incidents">,
): TlsFiles | undefined {
  if (!/^(http|grpc)s:/.test(settings.url)) return undefined;
  return new TlsFiles(settings, (error) =>
    incidents.credentialsNotReplaced(`outputs.${name}`, String(error)),
  );
}

export class TlsFiles {
  readonly #settings: TlsSettings;
  readonly #failed: (error: unknown) => void;
  #version: string;
  #material: TlsMaterial;

  /** Throws if they cannot be read now; `failed` hears of it when that happens later. */
  constructor(settings: TlsSettings, failed: (error: unknown) => void) {
    this.#settings = settings;
    this.#failed = failed;
    this.#version = versionOf(settings);
    this.#material = readMaterial(settings);
  }

  /** For the next connection. */
  current(): TlsMaterial {
    try {
      const version = versionOf(this.#settings);
      if (version !== this.#version) {
        this.#material = readMaterial(this.#settings);
        this.#version = version;
      }
    } catch (error) {
      this.#failed(error);
    }
    return this.#material;
  }
}

export function readMaterial(settings: TlsSettings): TlsMaterial {
  const { certificate, client_certificate: clientCertificate, client_key: clientKey } = settings;
  const material = {
    ...(certificate === undefined ? {} : { ca: readCertificate(certificate) }),
    ...(clientCertificate === undefined ? {} : { cert: readCertificate(clientCertificate) }),
    ...(clientKey === undefined ? {} : { key: readFileSync(clientKey, "utf8") }),
  };
  createSecureContext(material); // throws where certificate and key do not belong together
  return material;
}

/** Node itself takes an empty file, or garbage, for no certificate given. */
function readCertificate(path: string): string {
  const text = readFileSync(path, "utf8");
  try {
    void new X509Certificate(text);
    return text;
  } catch (error) {
    throw new Error("there is no certificate in PEM form in it", { cause: error });
  }
}

/** Another one when any of the files is. */
function versionOf(settings: TlsSettings): string {
  const paths = [settings.certificate, settings.client_certificate, settings.client_key];
  return paths
    .map((path) => {
      if (path === undefined) return "";
      const { ino, size, mtimeMs } = statSync(path);
      return `${ino} ${size} ${mtimeMs}`;
    })
    .join();
}
