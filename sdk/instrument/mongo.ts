// What OpenTelemetry's instrumentation of mongodb does not tell: by which code a command has failed, which collection
// is created or dropped, and that mongoose creates its collections at every start, content if they are there.

import type { Attributes, Span } from "@opentelemetry/api";
import { load } from "../packages.ts";

export function traceMongodb(): unknown {
  const { MongoDBInstrumentation } = load("@opentelemetry/instrumentation-mongodb");
  const made = new MongoDBInstrumentation({
    enhancedDatabaseReporting: false,
    requireParentSpan: false, // as with the other databases
    responseHook(span, { data }) {
      tellFailedWrites(span, data as Answer | undefined); // the types are of an older driver
    },
  });
  complete(made as unknown as Inside);
  return made;
}

/** What mongodb has for an answer: an object, or with newer drivers one that is read when it is asked for. */
interface Answer {
  readonly writeErrors?: unknown;
  has?(name: string): boolean;
  toObject?(): { readonly writeErrors?: unknown };
}

/** A write that MongoDB refuses, as for a key that is there already, is an answer like any other to its driver. */
function tellFailedWrites(span: Span, answer: Answer | undefined): void {
  const read = answer?.has?.("writeErrors") === true ? answer.toObject?.() : answer;
  const errors = read?.writeErrors;
  const [first] = Array.isArray(errors) ? (errors as { readonly code?: unknown }[]) : [];
  if (first === undefined) return;
  const code = String(first.code);
  span.setAttributes({ "db.response.status_code": code, "error.type": code });
  span.setStatus({ code: load("@opentelemetry/api").SpanStatusCode.ERROR }); // its message quotes values
}

type End = (this: unknown, error?: unknown, ...more: unknown[]) => unknown;

/** The parts of the instrumentation that matter here, by their names in 0.77; it is pinned, and a test would tell. */
interface Inside {
  _patchEnd?: (span: Span | undefined, ...more: readonly unknown[]) => End;
  _getSpanAttributes?: (...args: SpanArguments) => Attributes;
}
type SpanArguments = [
  database: unknown,
  collection: unknown,
  host: unknown,
  port: unknown,
  command: Readonly<Record<string, unknown>> | undefined,
  operation: unknown,
];

function complete(inside: Inside): void {
  const { _patchEnd: patchEnd, _getSpanAttributes: getSpanAttributes } = inside;
  if (patchEnd) {
    inside._patchEnd = function (span, ...more) {
      const isContent = isMongooseCreating();
      const end = patchEnd.call(this, span, ...more);
      return function (error, ...results) {
        if (span && error instanceof Error) tellFailure(span, error, isContent);
        return end.call(this, error, ...results);
      };
    };
  }
  if (getSpanAttributes) {
    inside._getSpanAttributes = function (...args) {
      const [, collection, , , command, operation] = args;
      if (collection === "$cmd") args[1] = collectionOf(command, operation);
      return getSpanAttributes.apply(this, args);
    };
  }
}

/** Before the instrumentation sets its status and ends it. */
function tellFailure(span: Span, error: Error & { readonly code?: unknown }, isContent: boolean) {
  const { code, name } = error;
  const isAnswer = typeof code === "number";
  if (isAnswer) span.setAttribute("db.response.status_code", String(code));
  if (isContent && code === namespaceExists) span.setStatus = () => span;
  else span.setAttribute("error.type", isAnswer ? String(code) : name);
}

const namespaceExists = 48;

/** Of a command to the database, which for these names a collection; for others that may be a user. */
function collectionOf(command: SpanArguments[4], operation: unknown): string | undefined {
  if (operation !== "create" && operation !== "drop" && operation !== "collMod") return undefined;
  const collection = command?.[operation];
  return typeof collection === "string" ? collection : undefined;
}

// ── mongoose ────────────────────────────────────────────────────────────────────────────────────

type Create = (this: unknown, ...args: unknown[]) => Promise<unknown>;

/** It keeps the error to itself that says that a collection is there already. */
export function noteMongooseCreating(exports: unknown): void {
  const { Model: model } = exports as { readonly Model?: { createCollection?: Create } };
  const create = model?.createCollection;
  if (!model || typeof create !== "function" || patched.has(model)) return;
  patched.add(model);
  const { context } = load("@opentelemetry/api");
  model.createCollection = function (...args) {
    return context.with(context.active().setValue(creating, true), create, this, ...args);
  };
}

const patched = new WeakSet<object>();
const creating = Symbol("sonde.mongoose.creating");

function isMongooseCreating(): boolean {
  const { context } = load("@opentelemetry/api");
  return context.active().getValue(creating) === true;
}
