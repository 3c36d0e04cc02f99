// Strings of strangers on their way to a person: into an error message, a log line, onto a terminal.

/**
 * Control characters could move a cursor or forge lines, and those for writing direction turn text
 * around; they become \uXXXX, which inside the strings of JSON means the same.
 */
export function printable(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** At most `length` characters, with no half of a pair at the end. */
export function shorten(text: string, length: number): string {
  if (text.length <= length) return text;
  return `${text.slice(0, length - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}
