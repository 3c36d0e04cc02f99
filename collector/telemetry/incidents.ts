// What goes wrong, told to the person who runs the collector. Each incident is one method: it writes a
// line, at most one in ten seconds for the same thing, and counts every occurrence.

const quietMs = 10_000;

export interface IncidentsOptions {
  readonly write?: (line: string) => void;
  readonly nowMs?: () => number;
}

export class Incidents {
  /** By incident name, for the collector's own metrics. */
  readonly counts = new Map<string, number>();
  readonly #write: (line: string) => void;
  readonly #nowMs: () => number;
  readonly #last = new Map<string, { saidMs: number; unsaid: number }>();

  constructor({ write = writeToStderr, nowMs = Date.now }: IncidentsOptions = {}) {
    this.#write = write;
    this.#nowMs = nowMs;
  }

  outputRetries(output: string, reason: string, detail: string): void {
    this.#say("output_retries", output, `output ${output}: ${reason}, trying again: ${detail}`);
  }

  outputRecovered(output: string): void {
    this.#last.delete(`output_retries ${output}`);
    this.#say("output_recovered", output, `output ${output}: delivers again`);
  }

  itemsRejected(output: string, { items, reason, detail }: Rejection): void {
    const what = `${items} ${items === 1 ? "item" : "items"} rejected, kept as dead letters`;
    this.#say(
      "items_rejected",
      `${output} ${reason}`,
      `output ${output}: ${what}: ${reason}: ${detail}`,
    );
  }

  deadLettersFull(output: string, count: number): void {
    const what = `${count} rejected records were not kept`;
    this.#say("dead_letters_full", output, `output ${output}: its dead letters are full, ${what}`);
  }

  /**
   * Our disk refused, which is trouble to be told in a line; or an output threw, which is our bug and
   * needs its stack. The delivery is tried again all the same, since nothing may be lost.
   */
  outputFailed(output: string, error: unknown): void {
    const { code, message, stack } = error as NodeJS.ErrnoException;
    const isOfSystem = code !== undefined && message !== undefined;
    const detail = isOfSystem ? message : `internal error: ${stack ?? String(error)}`;
    this.#say("output_failed", output, `output ${output}: ${detail}`);
  }

  /** The output goes on without it; what it was for is in the detail. */
  templateNotInstalled(output: string, detail: string): void {
    this.#say("template_not_installed", output, `output ${output}: index template: ${detail}`);
  }

  /** Sums that were made of differences begin anew, which is told to scrapers by when they began. */
  stateNotRestored(output: string, detail: string): void {
    const words = `begins anew, what it remembered cannot be used: ${detail}`;
    this.#say("state_not_restored", output, `output ${output}: ${words}`);
  }

  metricLeftOut(output: string, metric: string, detail: string): void {
    const subject = `${output} ${metric}`;
    this.#say("metric_left_out", subject, `output ${output}: ${metric} is not shown: ${detail}`);
  }

  /** What was read before stays in force. */
  credentialsNotReplaced(setting: string, detail: string): void {
    this.#say("credentials_not_replaced", setting, `${setting}: not taken over: ${detail}`);
  }

  tokenInClear(host: string): void {
    const advice = "set tls_cert and tls_key, or make sure that something before it speaks TLS";
    const message = `host ${host}: the token that clients send is not encrypted; ${advice}`;
    this.#say("token_in_clear", "", message);
  }

  /** A receiver throwing is our bug; the sender is told to keep what it has. */
  receiverFailed(receiver: string, error: unknown): void {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#say("receiver_failed", receiver, `receiver ${receiver}: internal error: ${detail}`);
  }

  /** An expression that has no value for an item; what became of the item is in the detail. */
  stepFailed(step: string, detail: string): void {
    this.#say("step_failed", `${step} ${detail}`, `step ${step}: ${detail}`);
  }

  logDamaged(file: string, detail: string): void {
    this.#say("log_damaged", `${file} ${detail}`, `log: damage in ${file}: ${detail}`);
  }

  logRefuses(reason: string, detail: string): void {
    this.#say("log_refuses", reason, `log: takes nothing (${reason}): ${detail}`);
  }

  logSkipped(output: string, what: string): void {
    const words = `the log is full and others wait: it is behind and misses ${what}`;
    this.#say("log_skipped", output, `output ${output}: ${words}`);
  }

  logNotClosed(detail: string): void {
    this.#say("log_not_closed", "", `log: not everything could be synced when closing: ${detail}`);
  }

  logNotTrimmed(detail: string): void {
    this.#say("log_not_trimmed", "", `log: delivered data cannot be deleted: ${detail}`);
  }

  notAnnounced(detail: string): void {
    this.#say("not_announced", "", `commands beside this collector may not find it: ${detail}`);
  }

  /** Counts always, writes unless the same was written less than ten seconds ago. */
  #say(incident: string, subject: string, message: string): void {
    this.counts.set(incident, (this.counts.get(incident) ?? 0) + 1);
    const key = `${incident} ${subject}`;
    const now = this.#nowMs();
    const last = this.#last.get(key);
    if (last && now - last.saidMs < quietMs) {
      last.unsaid++;
      return;
    }
    const repeated = last && last.unsaid > 0 ? ` (and ${last.unsaid} times more before)` : "";
    if (this.#last.size >= 1000) this.#last.clear(); // subjects may come from outside: stay bounded
    this.#last.set(key, { saidMs: now, unsaid: 0 });
    this.#write(message + repeated);
  }
}

export interface Rejection {
  readonly items: number;
  readonly reason: string;
  readonly detail: string;
}

function writeToStderr(line: string): void {
  process.stderr.write(`sonde: ${line}\n`);
}
