// OpenTelemetry's own messages, if OTEL_LOG_LEVEL asks for them; on stderr, since stdout belongs to the app.

import { load } from "./packages.ts";
import type { Settings } from "./settings.ts";
import { messageOf, writeLine } from "./tell.ts";

export function setDiagnostics({ logLevel }: Settings): void {
  if (logLevel === undefined || logLevel === "none") return;
  const { setGlobalErrorHandler } = load("@opentelemetry/core");
  const { diag, DiagLogLevel } = load("@opentelemetry/api");
  setGlobalErrorHandler((error) => diag.error(messageOf(error)));
  const level = logLevel.toUpperCase() as Uppercase<typeof logLevel>; // DiagLogLevel's keys
  diag.setLogger(
    {
      error: writer("error"),
      warn: writer("warn"),
      info: writer("info"),
      debug: writer("debug"),
      verbose: writer("verbose"),
    },
    DiagLogLevel[level],
  );
}

function writer(level: string): (message: string, ...details: unknown[]) => void {
  return (message, ...details) =>
    writeLine(`sonde: opentelemetry ${level}: ${[message, ...details.map(String)].join(" ")}`);
}
