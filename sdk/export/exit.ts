// Sends what is left when the app ends, and changes nothing about how it ends: exit code, signal, the
// app's own handlers and how often they are called stay as they would be without us.
//
//   ending                                    what is sent      how
//   natural end, nobody else on beforeExit    all               in the event loop
//   natural end, the app listens too          all               last send at 'exit'
//   SIGTERM, SIGINT that nobody handles       all               in the event loop, then the signal again
//   signals that the app handles              all               by how the app ends after that
//   process.exit, uncaught, unhandled         all               last send at 'exit', but for what observable
//                                                               instruments would tell asynchronously
//   SIGKILL, abort, a crash of Node           nothing
//
// The last send is for OTLP, over HTTP and gRPC; what is served to Prometheus nobody fetches any more.

import { isMainThread } from "node:worker_threads";

export interface Flushable {
  /** Everything, in the event loop. */
  flush(): Promise<void>;
  /** Moves what waits to where the last send finds it; metrics follow in the microtasks after it. */
  gather(): void;
  /** At the very end: what `gather` would only have in a later turn. */
  gatherLast(): void;
  /** At the very end: what the threads have that this one has started. Blocks for a moment. */
  gatherThreads(): void;
  /** Blocks. */
  sendLast(withinMs: number): void;
  /** Tells what was lost, if anything was. */
  report(): void;
}

export const exitDeadlineMs = 2000;

/** Returns what takes the listeners off again. */
export function flushAtExit(engine: Flushable): () => void {
  let isFlushed = false;
  /** Nobody has run since everything was flushed. */
  let isDone = false;
  const onBeforeExit = (): void => {
    if (isFlushed) return;
    isFlushed = true;
    // Waiting in the event loop means that 'beforeExit' comes again afterwards. Where that would be
    // noticed the waiting is left to the last send.
    isDone = process.listenerCount("beforeExit") === 1;
    if (isDone) void within(exitDeadlineMs, engine.flush());
    else engine.gather();
  };
  const onExit = (): void => {
    engine.gather();
    engine.gatherThreads();
    if (!isDone) engine.gatherLast();
    engine.sendLast(exitDeadlineMs);
    engine.report();
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (process.listenerCount(signal) > 1) return; // the app decides what becomes of it
    const raise = (): void => {
      engine.report();
      for (const signal of signals) process.off(signal, onSignal);
      process.kill(process.pid, signal);
    };
    if (isFlushed) return raise(); // asked twice
    isFlushed = true;
    engine.gatherThreads();
    void within(exitDeadlineMs, engine.flush()).then(raise);
  };

  process.on("beforeExit", onBeforeExit);
  process.on("exit", onExit);
  if (isMainThread) for (const signal of signals) process.on(signal, onSignal);
  return () => {
    process.off("beforeExit", onBeforeExit);
    process.off("exit", onExit);
    for (const signal of signals) process.off(signal, onSignal);
  };
}

const signals = ["SIGTERM", "SIGINT"] as const;

/** Resolves when the work is done, failed or late. */
export async function within(deadlineMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, deadlineMs);
  });
  await Promise.race([work.catch(() => {}), late]);
  clearTimeout(timer);
}
