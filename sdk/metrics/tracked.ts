// `@tracked()` before a method: what `metrics.track` does, for each of its calls. A decorator of the language
// and of TypeScript's `experimentalDecorators` alike.

import type { Attributes } from "@opentelemetry/api";
import { tell } from "../tell.ts";
import { tracking } from "./helpers.ts";

type Method = (this: unknown, ...args: never[]) => unknown;

export interface TrackedDecorator {
  /** Of the language. */
  <This, Args extends unknown[], Result>(
    method: (this: This, ...args: Args) => Result,
    context: ClassMethodDecoratorContext<This, (this: This, ...args: Args) => Result>,
  ): (this: This, ...args: Args) => Result;
  /** Of `experimentalDecorators`. */
  (target: object, key: string | symbol, descriptor: PropertyDescriptor): void;
}

/** The metric is called `Class.method` unless it is given a name. */
export function tracked(name?: string, attributes?: Attributes): TrackedDecorator {
  const decorate = (target: unknown, place: unknown, descriptor?: PropertyDescriptor): unknown => {
    try {
      if (descriptor !== undefined) return decorateProperty(target, place, descriptor);
      const { kind, name: key } = (place ?? {}) as { kind?: unknown; name?: unknown };
      if (kind === "method" && typeof target === "function") {
        return wrap(target as Method, (self) => name ?? nameOf(self, key));
      }
    } catch {
      // Nothing that a decorator is called with by a compiler.
    }
    tell("@tracked() is for methods, elsewhere it does nothing");
    return undefined;
  };
  const decorateProperty = (
    target: unknown,
    key: unknown,
    descriptor: PropertyDescriptor,
  ): PropertyDescriptor => {
    const method: unknown = descriptor.value;
    if (typeof method === "function") {
      descriptor.value = wrap(method as Method, () => name ?? nameOf(target, key));
    } else tell("@tracked() is for methods, elsewhere it does nothing");
    return descriptor;
  };
  const wrap = (method: Method, metric: (self: unknown) => string): Method => {
    const wrapped = function (this: unknown, ...args: never[]): unknown {
      return tracking(metric(this), attributes, () => Reflect.apply(method, this, args));
    };
    return likeness(wrapped, method);
  };
  return decorate as TrackedDecorator; // told apart by what they are called with
}

/** An instance or its prototype, or the class itself of a static method. */
function nameOf(owner: unknown, key: unknown): string {
  const method = typeof key === "symbol" ? (key.description ?? "") : String(key);
  let className = "";
  try {
    const made = typeof owner === "function" ? owner : (owner as object | undefined)?.constructor;
    className = typeof made?.name === "string" ? made.name : "";
  } catch {
    // Then without.
  }
  const parts = [className, method].map((part) => part.replaceAll(/^[^a-z]+|[^a-z0-9_.\-/]/gi, ""));
  return parts.filter((part) => part !== "").join(".");
}

/** What frameworks read from a method is there still: its name, its length, and what was put on it. */
function likeness(wrapped: Method, method: Method): Method {
  for (const key of Reflect.ownKeys(method)) {
    const descriptor = Reflect.getOwnPropertyDescriptor(method, key);
    if (key !== "prototype" && descriptor) Reflect.defineProperty(wrapped, key, descriptor);
  }
  const { getOwnMetadata, getOwnMetadataKeys, defineMetadata } = Reflect as Partial<WithMetadata>;
  if (getOwnMetadata && getOwnMetadataKeys && defineMetadata) {
    for (const key of getOwnMetadataKeys(method)) {
      defineMetadata(key, getOwnMetadata(key, method), wrapped);
    }
  }
  return wrapped;
}

/** What the package reflect-metadata adds to Reflect. */
interface WithMetadata {
  getOwnMetadataKeys(target: object): readonly unknown[];
  getOwnMetadata(key: unknown, target: object): unknown;
  defineMetadata(key: unknown, value: unknown, target: object): void;
}
