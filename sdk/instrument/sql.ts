// What may be said of an SQL statement: what it does and to what, and its text without the values in it.

export interface SqlOperation {
  /** `SELECT`, in capitals. */
  readonly operation: string;
  /** The first table it names. */
  readonly collection?: string;
}

const comments = /\/\*[^]*?(?:\*\/|$)|--[^\n]*/g;
/** A table with its schema, quoted or not. */
const table =
  /\b(?:from|into|update|join|table)\s+(?:only\s+)?((?:[\w$]+|"[^"]+"|`[^`]+`|\[[^\]]+\])(?:\.(?:[\w$]+|"[^"]+"|`[^`]+`|\[[^\]]+\]))*)/i;
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

/**
 * A text in quotes, of PostgreSQL's kinds too, an x'…', or a number. A word with digits in it is none, nor is $1 or
 * "a name". What is not closed goes to the end.
 */
const literals =
  /--[^\n]*|\/\*[^]*?(?:\*\/|$)|"(?:[^"]|"")*"?|`[^`]*`?|\b[eE]'(?:[^'\\]|\\[^]|'')*'?|(?:\b(?:[nNxXbB]|[uU]&))?'(?:[^'\\]|''|\\[^])*'?|\$([A-Za-z_]\w*)?\$[^]*?(?:\$\1\$|$)|(?<![\w$@:.])[+-]?(?:0x[\da-f]+|\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)\b/gi;

/** Literals → ?; what is parameterised stays as it is. Comments go: people put anything in them. */
export function scrubSql(sql: string): string {
  const text = sql.length > mostRead ? sql.slice(0, mostRead) : sql;
  return text.replaceAll(literals, (literal) => {
    if (literal.startsWith("--") || literal.startsWith("/*")) return "";
    return literal.startsWith('"') || literal.startsWith("`") ? literal : "?";
  });
}

const verbs =
  /^[\s(]*(?:(?:\/\*[^]*?\*\/|--[^\n]*\n)\s*)*(?:select|insert|update|delete|replace|merge|with|create|alter|drop|truncate|call|exec|execute|explain|values|grant|revoke|copy|declare|do|set\s+[\w.@]+\s*(?:=|to\b))\b/i;

/** Rather than a command of another kind of database. */
export function isSql(text: string): boolean {
  return verbs.test(text.slice(0, mostRead));
}
