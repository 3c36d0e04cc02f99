// Takes secrets out of what is sent, whoever recorded it: by the names of attributes, parameters and fields,
// and by what tokens look like. The lists are the collector's; what is no secret stays as it is.

import { kindOfName, type NameKind, tokens } from "../../collector/wire/secrets.ts";
import type { Redaction } from "../export/encoder.ts";
import { isSql, scrubSql } from "./sql.ts";

const mask = "REDACTED";
/** Of longer texts the rest is not sent: it would have to be read through, too. */
const mostRead = 64 * 1024;
const mostDepth = 10;

/** The value to send under this name: the same one unless there is a secret in it. Never throws. */
export function scrubAttribute<Value>(name: string, value: Value): Value {
  try {
    return scrubValue(name, value, 0) as Value; // a text for a text, a list for a list, a map for a map
  } catch {
    return mask as Value; // whatever throws when it is read cannot be sent either
  }
}

/** What becomes of an attribute's values as they are encoded; undefined where they stay as they are. */
export function redactorOf(name: string): Redaction | undefined {
  return redactions[kindOf(name)];
}

/** A whole URL or only its query. */
export function scrubUrl(given: string): string {
  const url = given.length > mostRead ? given.slice(0, mostRead) : given;
  const whole = url.includes("@") ? url.replace(userInfo, `$1${mask}:${mask}@`) : url;
  return whole.includes("=") ? whole.replaceAll(parameter, maskParameter) : whole;
}

const userInfo = /^([a-z][a-z0-9+.-]*:\/\/)[^/\\?#]*@/i;
const parameter = /([?&#;]|^)([^=?&#;/]+)=([^&#;]*)/g;

function maskParameter(whole: string, before: string, name: string): string {
  return thinkOf(decoded(name)) === "harmless" ? whole : `${before}${name}=${mask}`;
}

/** Any text: a message, an error's stack, a command. */
export function scrubText(given: string): string {
  const text = given.length > mostRead ? given.slice(0, mostRead) : given;
  const signs = signsOf(text);
  if (signs === 0) return text;
  let scrubbed = text;
  if (signs & atSign) {
    scrubbed = scrubbed.replaceAll(/(:\/\/)[^\s/?#"'<>\\]{1,1000}@/g, `$1${mask}:${mask}@`);
  }
  if (signs & keySign) scrubbed = scrubbed.replaceAll(privateKeys, mask);
  if (signs & colonSign) scrubbed = scrubbed.replaceAll(cookies, `$1${mask}`);
  if (signs & tokenSign) {
    scrubbed = scrubbed
      .replaceAll(schemes, (whole, scheme: string, credentials: string) =>
        /\d/.test(credentials) ? `${scheme}${mask}` : whole,
      )
      .replaceAll(looks, mask);
  }
  return signs & (colonSign | equalsSign) ? maskNamed(scrubbed) : scrubbed;
}

/** A name and what stands between it and its value: `name=`, `name: `, `"name": `. */
const naming = new RegExp(
  String.raw`(?<![\w.%-])(?:${[
    String.raw`([\w.%-]{1,100})[ \t]{0,3}=(?!=)[ \t]{0,3}`,
    String.raw`(\\*["'])([\w.-]{1,100})\2\s{0,4}:\s{0,4}(?=\\*["'])`,
    String.raw`([\w.-]{1,100}):[ \t]{1,4}`,
  ].join("|")})`,
  "g",
);
/** In quotes, in quotes that are escaped themselves, or up to what stands behind values. */
const valued =
  /(\\+["'])[^]*?(?:\1|$)|"(?:[^"\\]|\\[^])*(?:"|$)|'(?:[^'\\]|\\[^])*(?:'|$)|[^\s&;,"'<>)\]}]+/y;

/** Values are looked at only behind names of secrets: others may have such names and values in them. */
function maskNamed(text: string): string {
  let masked = "";
  let done = 0;
  for (const found of text.matchAll(naming)) {
    const [whole, assigned, , quoted, bare] = found;
    if (found.index < done) continue;
    const kind = thinkOf(decoded(assigned ?? quoted ?? bare ?? ""));
    const isParameter = assigned !== undefined && /[?&#;]/.test(text[found.index - 1] ?? "");
    if (kind !== "secret" && !(kind === "parameter" && isParameter)) continue;
    valued.lastIndex = found.index + whole.length;
    const value = valued.exec(text)?.[0];
    if (value === undefined) continue;
    const quote = /^\\*["']/.exec(value)?.[0] ?? "";
    masked += `${text.slice(done, found.index)}${whole}${quote}${mask}${quote}`;
    done = found.index + whole.length + value.length;
  }
  return masked + text.slice(done);
}

/** The arguments of a command: `--password x`, `--token=x`, `-H "authorization: x"`. */
export function scrubArguments(given: readonly string[]): string[] {
  return given.map((one, index) => {
    const option = /^--?([\w.-]+)$/.exec(given[index - 1] ?? "")?.[1];
    if (option !== undefined && thinkOf(option) !== "harmless") return mask;
    const [, dashes, name] = /^(--?)([\w.-]+)=/.exec(one) ?? [];
    if (name !== undefined && thinkOf(name) !== "harmless") return `${dashes}${name}=${mask}`;
    return scrubText(one);
  });
}

const [equalsSign, atSign, colonSign, keySign, tokenSign] = [1, 2, 4, 8, 16];

/**
 * Which signs of secrets a text has: most have none and are not looked at any further, and most others only one,
 * of a name before a value. Each sign costs as much to follow as a span does to encode.
 */
function signsOf(text: string): number {
  let signs = 0;
  let isInWord = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === equals) signs |= equalsSign;
    else if (code === at) signs |= atSign;
    else if (code === colon) {
      const [before, next] = [text.charCodeAt(index - 1), text.charCodeAt(index + 1)];
      if (next === space || next === tab || isQuote(before) || before <= space) signs |= colonSign;
    } else if (code === dash) {
      if (text.startsWith("-----BEGIN", index)) signs |= keySign;
    } else if (!isInWord && code < 128) {
      const next = text.charCodeAt(index + 1);
      if (next < 128 && beginnings[code * 128 + next] === 1) signs |= tokenSign;
    }
    isInWord = code < 128 ? isWord[code] === 1 : false;
  }
  return signs;
}

const [equals, at, colon, dash, space, tab] = [0x3d, 0x40, 0x3a, 0x2d, 0x20, 0x09];

function isQuote(code: number): boolean {
  return code === 0x22 || code === 0x27;
}

const isWord = Uint8Array.from({ length: 128 }, (_, code) =>
  Number(/\w/.test(String.fromCharCode(code))),
);
/** Of tokens and of `Bearer`, their first two letters as one number. */
const beginnings = new Uint8Array(128 * 128);
for (const prefix of [
  ...tokens.flatMap(([prefixes]) => prefixes.split(" ")),
  ..."ey be Be BE ba Ba BA".split(" "),
]) {
  beginnings[prefix.charCodeAt(0) * 128 + prefix.charCodeAt(1)] = 1;
}

const privateKeys = /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^]*?(?:-----END [A-Z ]{0,40}-----|$)/g;
/** To the end of the line, semicolons and all. */
const cookies = /\b((?:set-)?cookie2?: )[^\r\n]+/gi;
const schemes = /\b((?:bearer|basic)\s+)([\w.~+/=-]{8,})/gi;
const looks = new RegExp(
  [
    "\\beyJ[\\w-]{5,}\\.[\\w-]{8,}\\.[\\w-]{8,}",
    ...tokens.map(([prefixes, least, set]) => {
      const names = prefixes.replaceAll(".", "\\.").split(" ").join("|");
      return `(?<![A-Za-z0-9_])(?:${names})[${set}]{${least},}`;
    }),
  ].join("|"),
  "g",
);

type Kind = "secret" | "url" | "sql" | "arguments" | "plain" | "text";

const kinds: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ...["url.full", "url.query", "url.original", "http.url", "http.target"].map(
    (name) => [name, "url"] as const,
  ),
  ...["db.query.text", "db.statement"].map((name) => [name, "sql"] as const),
  ["process.command_args", "arguments"],
  // On nearly every span, and nothing that anybody puts a secret in.
  ...[
    "client.address",
    "db.operation.name",
    "db.system.name",
    "error.type",
    "http.request.method",
    "http.route",
    "network.peer.address",
    "network.protocol.version",
    "server.address",
    "url.scheme",
    "user_agent.original",
  ].map((name) => [name, "plain"] as const),
]);

/** What is thought of a name is remembered: a handful of them makes up nearly all there is. */
const thoughts = new Map<string, NameKind>();
const mostThoughts = 2000;

function thinkOf(name: string): NameKind {
  const known = thoughts.get(name);
  if (known !== undefined) return known;
  const kind = kindOfName(name);
  if (thoughts.size < mostThoughts && name.length <= 100) thoughts.set(name, kind);
  return kind;
}

function kindOf(name: string): Kind {
  return kinds.get(name) ?? (thinkOf(name) === "secret" ? "secret" : "text");
}

function scrubValue(name: string, value: unknown, depth: number): unknown {
  const redaction = redactorOf(name);
  if (typeof value === "string") return redaction ? redaction.text(value) : value;
  if (typeof value !== "object" || value === null) return value;
  if (depth >= mostDepth) return mask;
  if (value instanceof Uint8Array || value instanceof Date) return value;
  if (Array.isArray(value)) {
    const all = value as readonly unknown[];
    if (redaction?.list) return redaction.list(all);
    const scrubbed = all.map((one) => scrubValue(name, one, depth + 1));
    return scrubbed.every((one, index) => one === all[index]) ? value : scrubbed;
  }
  if (redaction?.map !== undefined) return redaction.map;
  let copy: Record<string, unknown> | undefined;
  for (const [key, inner] of Object.entries(value)) {
    const scrubbed = scrubValue(key, inner, depth + 1);
    if (scrubbed === inner) continue;
    copy ??= { ...value };
    copy[key] = scrubbed;
  }
  return copy ?? value;
}

const redactions: Readonly<Record<Kind, Redaction | undefined>> = {
  secret: { text: (text) => (text === "" ? text : mask), list: () => [mask], map: mask },
  url: { text: guarded(scrubUrl) },
  sql: { text: guarded((text) => (isSql(text) ? scrubSql(text) : scrubText(text))) },
  arguments: {
    text: guarded((text) => scrubArguments([text])[0] ?? mask),
    list: (items) => scrubArguments(items.map(String)),
  },
  plain: undefined,
  text: { text: guarded(scrubText) },
};

/** A regular expression may run out of stack; what cannot be read through is not sent, and nothing else is lost. */
function guarded(redact: (text: string) => string): (text: string) => string {
  return (text) => {
    try {
      return redact(text);
    } catch {
      return mask;
    }
  };
}

function decoded(name: string): string {
  if (!name.includes("%")) return name;
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
