// Collects log records into batches. In the place of OpenTelemetry's batch processor because a flush of
// that one only begins in a later turn of the event loop, which at exit never comes.

import type { LogRecordProcessor, ReadableLogRecord } from "@opentelemetry/sdk-logs";
import type { BatchSettings } from "../settings.ts";
import { messageOf, tell } from "../tell.ts";

export class LogBuffer implements LogRecordProcessor {
  readonly #settings: BatchSettings;
  readonly #send: (records: ReadableLogRecord[]) => void;
  #records: ReadableLogRecord[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: BatchSettings, send: (records: ReadableLogRecord[]) => void) {
    this.#settings = settings;
    this.#send = send;
  }

  onEmit(record: ReadableLogRecord): void {
    this.#records.push(record);
    if (this.#records.length >= this.#settings.maxBatch) this.#sendAll();
    else this.#timer ??= setTimeout(() => this.#sendAll(), this.#settings.delayMs).unref();
  }

  /** Done when it returns. */
  forceFlush(): Promise<void> {
    this.#sendAll();
    return Promise.resolve();
  }

  shutdown(): Promise<void> {
    return this.forceFlush();
  }

  #sendAll(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#records.length === 0) return;
    const records = this.#records;
    this.#records = [];
    try {
      this.#send(records);
    } catch (error) {
      tell(`log records could not be encoded and are lost: ${messageOf(error)}`);
    }
  }
}
