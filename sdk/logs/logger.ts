// The API's loggers. A record is encoded when it is emitted; none is kept as an object.

import type {
  Context,
  ContextManager,
  HrTime,
  Logger as ApiLogger,
  LoggerOptions,
  LoggerProvider as ApiLoggerProvider,
  LogRecord,
  SpanContext,
} from "@opentelemetry/api";
import type { Batch, Scope, Section } from "../export/batch.ts";
import { anchorFor, hrTimeOf, monotonicMs, readTime } from "../trace/clock.ts";
import { spanIn } from "../trace/context.ts";
import { describeException } from "../trace/exception.ts";
import { parentOf } from "../trace/span.ts";
import type { Span } from "../trace/span.ts";
import { Attributes, keep, optionalText, textOf, unlimited, valueAt } from "../trace/values.ts";
import type { AttributeLimits, Value } from "../trace/values.ts";
import { encodeRecord } from "./encode.ts";

export interface Logging {
  readonly contexts: Pick<ContextManager, "active">;
  readonly limits: AttributeLimits;
  readonly batch: Batch;
  /** Waits until what was emitted is sent. */
  readonly flush: () => Promise<void>;
}

/** A record that nothing can change any more. */
export interface KeptRecord {
  readonly time: HrTime;
  readonly observed: HrTime;
  readonly severity: number;
  readonly severityText: string | undefined;
  readonly eventName: string | undefined;
  readonly body: Value | undefined;
  readonly attributes: Attributes;
  readonly span: Span | SpanContext | undefined;
}

const mostLoggers = 1000;
const ownLimits: AttributeLimits = { count: 128, length: unlimited };

export class LoggerProvider implements ApiLoggerProvider {
  readonly #logging: Logging;
  readonly #loggers = new Map<string, Logger>();

  constructor(logging: Logging) {
    this.#logging = logging;
  }

  getLogger(name: string, version?: string, options?: LoggerOptions): ApiLogger {
    const attributes = new Attributes();
    attributes.setSimple(valueAt(options, "attributes"), ownLimits);
    const section = this.#logging.batch.section({
      name: textOf(name ?? "") || "unknown", // as OpenTelemetry's names it
      version: optionalText(version),
      schemaUrl: optionalText(valueAt(options, "schemaUrl")),
      attributes,
    } satisfies Scope);
    const key = Buffer.concat([section.head, section.tail]).toString("latin1");
    let logger = this.#loggers.get(key);
    if (logger === undefined) {
      logger = new Logger(this.#logging, section);
      if (this.#loggers.size < mostLoggers) this.#loggers.set(key, logger);
    }
    return logger;
  }

  forceFlush(): Promise<void> {
    return this.#logging.flush();
  }

  shutdown(): Promise<void> {
    this.#logging.batch.close();
    return this.#logging.flush();
  }
}

class Logger implements ApiLogger {
  readonly #logging: Logging;
  readonly #section: Section;

  constructor(logging: Logging, section: Section) {
    this.#logging = logging;
    this.#section = section;
  }

  emit(record: LogRecord): void {
    const { batch, contexts, limits } = this.#logging;
    if (batch.isClosed) return;
    try {
      batch.add(this.#section, encodeRecord, keptRecord(record, contexts.active(), limits));
    } catch {
      batch.dropped++; // no record, or one that throws when it is read
    }
  }

  enabled(): boolean {
    return !this.#logging.batch.isClosed;
  }
}

function keptRecord(record: LogRecord, active: Context, limits: AttributeLimits): KeptRecord {
  const nowMs = monotonicMs();
  const anchorMs = anchorFor(nowMs);
  const now = hrTimeOf(anchorMs + nowMs);
  const { timestamp, observedTimestamp, severityNumber, body, exception } = record;
  const attributes = new Attributes();
  attributes.setAll(record.attributes, limits);
  if (exception !== undefined && exception !== null) {
    describeException(exception, attributes, limits);
  }
  return {
    time: readTime(timestamp, anchorMs) ?? now,
    observed: readTime(observedTimestamp, anchorMs) ?? now,
    severity: typeof severityNumber === "number" && isSeverity(severityNumber) ? severityNumber : 0,
    severityText: optionalText(record.severityText),
    eventName: optionalText(record.eventName),
    body: bodyOf(body),
    attributes,
    span: parentOf(spanIn(record.context ?? active)),
  };
}

/** The limits of the settings are for attributes. */
const bodyLimits: AttributeLimits = { count: unlimited, length: unlimited, isLenient: true };

/** The text of what is no data, such as a symbol. */
function bodyOf(body: unknown): Value | undefined {
  if (body === undefined) return undefined;
  const kept = keep(body, bodyLimits);
  return kept === undefined ? textOf(body) : kept;
}

function isSeverity(number: number): boolean {
  return Number.isInteger(number) && number > 0 && number <= 24;
}
