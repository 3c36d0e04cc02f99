// What an output is. The loop that feeds one — read, deliver, retry, commit, keep the books — is in
// feed.ts; a destination only has to say what became of a delivery.

import type { Gate } from "../access.ts";
import type { Entry } from "../log/log.ts";
import type { Memory } from "../memory/memory.ts";
import type { Incidents } from "../telemetry/incidents.ts";
import type { Signal } from "../wire/batch.ts";

/** Why something was not delivered. A closed list: the books and the metrics are kept by it. */
export const reasons = [
  "not_wanted", // filtered: the output does not take this signal
  "unreachable", // no connection, or it broke off
  "timeout", // no answer in time
  "busy", // the destination asked us to wait
  "server_error", // it failed to take what it should have taken
  "unauthorized", // it wants other credentials
  "not_found", // no such path, index or tenant there
  "bad_answer", // it answered something that is not an answer
  "bad_data", // it will never take this
  "too_large", // it takes no request or record of this size
  "partial_success", // an OTLP server took the others, and did not say which these are
  "damaged", // dropped: lost to damage on our disk
  "log_full", // dropped: the log was full, and others were ahead
  "not_configured", // dropped: passed by the others while this output was not configured
] as const;
export type Reason = (typeof reasons)[number] | StepReason;

/** Filtered: a step of that name took it away. */
export type StepReason = `step:${string}`;

/** What is left of a batch behind the output's steps, or a part of that. */
export interface Piece extends Entry {
  /** Of a part: where in the batch its first leaf stands. */
  readonly firstLeaf?: number;
}

/** Consecutive batches of one signal, or a part of one batch. */
export interface Delivery {
  readonly signal: Signal;
  readonly entries: readonly Piece[];
  readonly items: number;
  readonly bytes: number;
}

/** A leaf that the destination refused for good: `index` counts the leaves of what was handed over. */
export interface RejectedItem {
  readonly position: number;
  readonly index: number;
  /** 1 unless told otherwise; a metric may have several points. */
  readonly items?: number;
  readonly reason: Reason;
  readonly detail: string;
}

/** What became of a delivery. Failing to deliver is a value, not an exception. */
export type Outcome =
  | { readonly kind: "delivered" }
  /** Not now: the same delivery is handed over again, after `afterMs` if the destination said so. */
  | {
      readonly kind: "retry";
      readonly reason: Reason;
      readonly detail: string;
      readonly afterMs?: number;
    }
  /** Never: `items` of the delivery were refused, the rest was taken. `which` where it is known. */
  | {
      readonly kind: "rejected";
      readonly reason: Reason;
      readonly detail: string;
      readonly items: number;
      readonly which?: readonly RejectedItem[];
    };

export interface Output {
  readonly wants: readonly Signal[];
  /** Above these the loop makes several deliveries. */
  readonly maxItems: number;
  readonly maxBytes: number;
  /** How many slices of the log may be on their way at a time; 1, which keeps the order, if not given. */
  readonly maxInFlight?: number;
  /**
   * Whether a batch may be handed over in parts, where it is above the limits or refused as a whole. Not
   * where a leaf's place in the batch means something to the destination, as in a document's id.
   */
  readonly takesParts?: boolean;
  /** Whatever happens, there is an outcome, and soon after `signal` was aborted. */
  deliver(delivery: Delivery, signal: AbortSignal): Promise<Outcome>;
  close(): Promise<void>;
}

/** What an output is given when it is opened. */
export interface OutputContext {
  readonly name: string;
  /** Of the log that it reads; the first part of document ids. */
  readonly logId: string;
  readonly incidents: Incidents;
  /** Where a listener of the output's own may listen. */
  readonly host: string;
  /** Who may come in there; everybody if it does not say. */
  readonly access?: Gate;
  /** For what is made of deliveries; its own if not given. */
  readonly memory?: Memory;
  /** A folder for what it remembers beside its cursor; it is to remember nothing if not given. */
  readonly stateDir?: string;
  /** How many items of a signal it has taken or refused, by the books as they are on disk. */
  readonly settled?: (signal: Signal) => number;
  /** The output tells what it listens on, for the ready lines. */
  readonly ready: (what: string, url: string) => void;
}
