// What is a secret, by its name or by its looks: one list for the collector's step `redact` and for the SDK.

/** Of anything: an attribute, a header, a field of a log. */
const secrets = new RegExp(
  [
    "passw(or)?d",
    "passphrase",
    "(^|[._-])pwd",
    "secret",
    "credential",
    "(api|access|private|account|auth|encryption|signing|shared|master)[._-]?key",
    "authorization",
    "(^|[._-])(set-?)?cookies?$",
    "connection[._-]?string",
    "(^|[._-]|access|refresh|id|auth|bearer|session|csrf|xsrf|api|jwt)[._-]?token$",
    "(^|[._-])jwt$",
    "(^|[._-])session[._-]?id$",
  ].join("|"),
);
/** Of a query parameter or a setting: `code=…` is a secret there, an attribute called code is not. */
const parameters = /token|signature|^(sig|key|auth|code|pass|otp|pin|sas|x-amz-.*|x-goog-.*)$/;
/** What describes a secret is none: k8s.secret.name, password_length. */
const descriptions =
  /[._-](name|count|length|size|type|ttl|expires?|expires_(at|in)|enabled|policy)$/;

const longestName = 1000;

export type NameKind = "harmless" | "parameter" | "secret";

/** A parameter's name says less: outside of queries and settings it is harmless. */
export function kindOfName(name: string): NameKind {
  if (name.length > longestName) return "harmless";
  // sessionToken is session-token.
  const parted = name.replaceAll(/[a-z](?=[A-Z])/g, "$&-").toLowerCase();
  if (descriptions.test(parted)) return "harmless";
  if (secrets.test(parted)) return "secret";
  return parameters.test(parted) ? "parameter" : "harmless";
}

/** Tokens of well-known services: how they begin, and at least how many of which bytes follow. */
export const tokens = [
  ["AKIA ASIA AROA AIDA", 16, "A-Z0-9"],
  ["AIza ya29.", 30, "A-Za-z0-9_\\-"],
  ["ghp_ gho_ ghu_ ghs_ ghr_ npm_", 36, "A-Za-z0-9_"],
  ["github_pat_ hvs. dop_v1_ shpat_", 22, "A-Za-z0-9_"],
  ["glpat- pypi- sk-ant- sk-proj- sk-svcacct-", 20, "A-Za-z0-9_\\-"],
  ["xoxa- xoxb- xoxp- xoxr- xoxs- xapp-", 10, "A-Za-z0-9_\\-"],
  ["sk_live_ sk_test_ rk_live_ rk_test_ whsec_", 16, "A-Za-z0-9_"],
  ["SG.", 32, "A-Za-z0-9_\\-."],
] as const;
