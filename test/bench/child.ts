// A process of the benchmark's own that answers questions: `startChild` in the parent, `answer` in the
// child. One question at a time; the child ends with its parent.

import { fork } from "node:child_process";
import { once } from "node:events";
import { cores } from "./cores.ts";

export interface Child {
  readonly pid: number;
  /** Rejects when the child ends instead of answering, or when `signal` aborts. */
  ask(question: object): Promise<unknown>;
  stop(): Promise<void>;
}

export function startChild(program: URL, signal: AbortSignal): Child {
  const [execPath, ...execArgv] = [...cores.others, process.execPath, "--conditions=source"];
  const child = fork(program, { execPath, execArgv });
  const ended = new AbortController();
  const exit = once(child, "exit");
  child.on("exit", (code) => ended.abort(new Error(`${program.pathname} ended with ${code}`)));
  return {
    pid: child.pid ?? 0,
    async ask(question) {
      const cut = AbortSignal.any([signal, ended.signal]);
      const answered = once(child, "message", { signal: cut }).catch((error: unknown) => {
        cut.throwIfAborted(); // with the reason, which the other error lacks
        throw error;
      });
      child.send(question);
      const [given] = (await answered) as [unknown];
      return given;
    },
    async stop() {
      child.kill();
      await exit;
    },
  };
}

/** `reply` is called with what the parent asks; the two share the question's type. */
export function answer(reply: (question: never) => Promise<object>): void {
  process.on("message", (question) => {
    void reply(question as never).then((given) => process.send?.(given));
  });
  process.on("disconnect", () => process.exit());
}
