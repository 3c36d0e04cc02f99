// Loggers that are bridged may print through console; what they print has been sent already.

let depth = 0;

export function isInsideLogger(): boolean {
  return depth > 0;
}

export function insideLogger<Result>(run: () => Result): Result {
  depth++;
  try {
    return run();
  } finally {
    depth--;
  }
}
