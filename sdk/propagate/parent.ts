// The trace that whoever started this process was in: TRACEPARENT, TRACESTATE, BAGGAGE, or the headers of
// another format as variables. It is the parent of everything the process does by itself; requests that
// come in bring their own.

import type { Context, ContextManager, TextMapPropagator } from "@opentelemetry/api";
import { load } from "../packages.ts";

/** Undefined where the environment holds no trace and no baggage. */
export function parentContext(
  propagator: TextMapPropagator,
  environment: NodeJS.ProcessEnv,
): Context | undefined {
  const { ROOT_CONTEXT } = load("@opentelemetry/api");
  const carrier: Record<string, string> = {};
  for (const field of propagator.fields()) {
    // A variable's name has no hyphens.
    const value = environment[field.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")];
    if (value) carrier[field] = value;
  }
  if (Object.keys(carrier).length === 0) return undefined;
  const context = propagator.extract(ROOT_CONTEXT, carrier, {
    get: (values: typeof carrier, name) => values[name],
    keys: (values: typeof carrier) => Object.keys(values),
  });
  return context === ROOT_CONTEXT ? undefined : context;
}

/** The manager with another context where none is active. */
export function rootedAt(manager: ContextManager, parent: Context | undefined): ContextManager {
  if (parent === undefined) return manager;
  const { ROOT_CONTEXT } = load("@opentelemetry/api");
  const rooted: ContextManager = {
    active() {
      const active = manager.active();
      return active === ROOT_CONTEXT ? parent : active;
    },
    with: (context, work, that, ...args) => manager.with(context, work, that, ...args),
    bind: (context, target) => manager.bind(context, target),
    enable() {
      manager.enable();
      return rooted;
    },
    disable() {
      manager.disable();
      return rooted;
    },
  };
  return rooted;
}
