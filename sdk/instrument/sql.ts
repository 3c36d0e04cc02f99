// What may be said of an SQL statement: what it does and to what, and its text without the values in it.

export interface SqlOperation {
  /** `SELECT`, in capitals. */
  readonly operation: string;
  /** The first table it names. */
  readonly collection?: string;
}

const comments = /\/\*[^]*?(?:\*\/|$)|--[^\n]*/g;
/** Quoted in the way of one database or another, or not at all. */
const word = String.raw`(?:[\w$]+|"[^"]+"|${"`[^`]+`"}|\[[^\]]+\])`;
/** A table with its schema. */
const table = new RegExp(
  String.raw`\b(?:from|into|update|join|table)\s+(?:only\s+|if\s+(?:not\s+)?exists\s+)?(${word}(?:\.${word})*)`,
  "i",
);
/** Of a longer statement only the beginning is read. */
const mostRead = 10_000;

export function operationOf(sql: string): SqlOperation {
  const text = sql.slice(0, mostRead).replaceAll(comments, " ");
  const operation = /[a-z]+/i.exec(text)?.[0].toUpperCase() ?? "SQL";
  const collection = table.exec(scrubSql(text))?.[1]?.replaceAll(/["`[\]]/g, "");
  return collection === undefined || collection.length > 100
    ? { operation }
    : { operation, collection };
}

/** What is not closed goes to the end. A word with digits in it is no number, nor is $1. */
const literals = new RegExp(
  [
    String.raw`--[^\n]*|/\*[^]*?(?:\*/|$)`,
    String.raw`"(?:[^"]|"")*"?|${"`[^`]*`?"}`, // names
    String.raw`\b[eE]'(?:[^'\\]|\\[^]|'')*'?`,
    String.raw`(?:\b(?:[nNxXbB]|[uU]&))?'(?:[^'\\]|''|\\[^])*'?`,
    String.raw`\$([A-Za-z_]\w*)?\$[^]*?(?:\$\1\$|$)`,
    String.raw`(?<![\w$@:.])[+-]?(?:0x[\da-f]+|\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)\b`,
  ].join("|"),
  "gi",
);

/** Literals → ?; what is parameterised stays as it is. Comments go: people put anything in them. */
export function scrubSql(sql: string): string {
  return scrub(sql, (literal) => /^["`]/.test(literal));
}

/** In MySQL a text may stand in double quotes, too. */
export function scrubMysql(sql: string): string {
  return scrub(sql, (literal) => literal.startsWith("`"));
}

function scrub(sql: string, isName: (literal: string) => boolean): string {
  const text = sql.length > mostRead ? sql.slice(0, mostRead) : sql;
  return unescaped(text).replaceAll(literals, (literal) => {
    if (literal.startsWith("--") || literal.startsWith("/*")) return "";
    return isName(literal) ? literal : "?";
  });
}

/** Whether \' ends a text depends on the database and its settings, so all from the first to the last goes. */
function unescaped(text: string): string {
  return text.includes("\\'") ? text.replace(/'[^]*'/, "''") : text;
}

const verbs = new RegExp(
  String.raw`^[\s(]*(?:(?:/\*[^]*?\*/|--[^\n]*\n)\s*)*(?:${[
    "select|insert|update|delete|replace|merge|with|create|alter|drop|truncate|call|exec|execute",
    "explain|values|grant|revoke|copy|declare|do",
    String.raw`set\s+[\w.@]+\s*(?:=|to\b)`,
  ].join("|")})\b`,
  "i",
);

/** Rather than a command of another kind of database. */
export function isSql(text: string): boolean {
  return verbs.test(text.slice(0, mostRead));
}
