// What can be set of any output that is a client of some server.

import { z } from "zod";
import { path, secret } from "../config/fields.ts";
import { readMaterial, type TlsSettings } from "./tls-files.ts";

const framing =
  /^(?:connection|content-length|expect|keep-alive|te|trailer|transfer-encoding|upgrade)$/i;
// What HTTP and gRPC both carry: gRPC takes names that end in -bin for binary.
const headerName = z
  .string()
  .regex(/^[\w.-]+(?<!-bin)$/, "is not the name of a header; use letters, digits, _ . and -")
  .refine(
    (name) => !framing.test(name),
    "is not for you to say: it is how the collector sends a request; leave it out",
  );
const headerValue = z
  .string()
  .regex(/^[\x20-\x7e]*$/, "is not the value of a header; use printable ASCII");

const notHeaders =
  "is not a list of headers; give name: value, or in a variable name=value,name2=value2";

type Headers = z.ZodDefault<z.ZodRecord<typeof headerName, typeof headerValue>>;

export function headers(): Headers {
  return secret(z.record(headerName, headerValue, { error: ofType })).default({});
}

function ofType({ code }: { readonly code?: string }): string | undefined {
  return code === "invalid_type" ? notHeaders : undefined;
}

/** For a schema's superRefine: what is wrong with a text, in words that follow it. */
export function refineBy(problemOf: (text: string) => string | undefined) {
  return (text: string, context: z.RefinementCtx<string>): void => {
    const message = problemOf(text);
    if (message) context.addIssue({ code: "custom", message });
  };
}

/** Of an HTTP server's address, to which paths are added; it may have a path and a user. */
export function problemOfUrl(text: string, example: string): string | undefined {
  const problem = problemOfWholeUrl(text, example);
  if (problem) return problem;
  return /[?#]/.test(text) ? "has a ? or #; the address ends with the path" : undefined;
}

/** Of one that is used as it is, and so may have a query. */
export function problemOfWholeUrl(text: string, example: string): string | undefined {
  const url = URL.parse(text);
  if (url && /^https?:\/\/[^/\s]/.test(text)) return problemOfUser(url);
  return `must be an http:// or https:// address such as ${example}`;
}

/** They are decoded for each request, which throws where it cannot be done. */
export function problemOfUser({ username, password }: URL): string | undefined {
  try {
    decodeURIComponent(username);
    decodeURIComponent(password);
    return undefined;
  } catch {
    return "has a % in its user or password that must be written as %25";
  }
}

export const tlsFields = {
  /** Whom to trust, in place of the well-known authorities. */
  certificate: path().optional(),
  /** Who we are, for servers that ask. */
  client_certificate: path().optional(),
  client_key: path().optional(),
};

type TlsField = keyof typeof tlsFields;

export interface Problem<Field> {
  readonly at: Field;
  readonly message: string;
}

/** Of what it is asked: whether the address has TLS, which addresses have, and where it stands. */
export interface Address {
  readonly isTls: boolean;
  readonly schemes: string;
  readonly where: string;
}

export function problemsOfTls(
  given: TlsSettings,
  { isTls, schemes, where }: Address,
): readonly Problem<TlsField>[] {
  const names = Object.keys(tlsFields) as TlsField[]; // the keys of that very object
  const first = names.find((name) => given[name] !== undefined);
  if (first === undefined) return [];
  if (!isTls) return [{ at: first, message: `is for ${schemes} only, which the ${where} is not` }];
  const { certificate, client_certificate, client_key } = given;
  if (client_certificate === undefined && client_key !== undefined) {
    return [{ at: "client_key", message: "needs client_certificate" }];
  }
  if (client_key === undefined && client_certificate !== undefined) {
    return [{ at: "client_certificate", message: "needs client_key" }];
  }
  return [
    problemOfFile("certificate", { certificate }),
    problemOfFile("client_certificate", { client_certificate }),
    problemOfFile("client_key", { client_certificate, client_key }),
  ].filter((problem) => problem !== undefined);
}

function problemOfFile(at: TlsField, material: TlsSettings): Problem<TlsField> | undefined {
  try {
    readMaterial(material);
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isFile = code !== undefined && !code.startsWith("ERR_");
    return { at, message: isFile ? `cannot be read: ${code}` : `cannot be used: ${message}` };
  }
}
