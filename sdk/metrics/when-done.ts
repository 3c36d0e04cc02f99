// Hears of the end of what a function has returned, and changes nothing about it.
//
// A promise that nobody handles must still be told of as such, and one that is handled must not. So a
// listener beside it will not do, which would count as handling it, nor one that throws again, which would
// be reported although the app handles its own. What is returned for a plain promise is therefore the one
// that follows ours; nobody else has the first. Anything else that has a `then` is returned itself, since
// its class is its own, and some begin to work only when `then` is called, as queries do: it is heard when
// somebody asks for its end.

import { isPromise, isProxy } from "node:util/types";

export type End = (error?: { readonly thrown: unknown }) => void;

type Then = (this: unknown, ...handlers: readonly unknown[]) => unknown;

export function whenDone<Result>(result: Result, end: End): Result {
  if (!isObject(result) || isProxy(result)) {
    end();
    return result;
  }
  if (isPlainPromise(result)) return follow(result, end) as Result; // a promise of the same
  let then: unknown;
  try {
    ({ then } = result as { then?: unknown });
  } catch {
    // It is the app that is to learn of this.
  }
  if (typeof then !== "function" || !hearThen(result, then as Then, end)) end();
  return result;
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** What `async` functions return. */
function isPlainPromise(value: object): value is Promise<unknown> {
  return (
    isPromise(value) &&
    Object.getPrototypeOf(value) === Promise.prototype &&
    !Object.hasOwn(value, "then") &&
    !Object.hasOwn(value, "constructor")
  );
}

function follow(promise: Promise<unknown>, end: End): Promise<unknown> {
  const following = promise.then(
    (value) => {
      end();
      return value;
    },
    (error: unknown) => {
      end({ thrown: error });
      throw error;
    },
  );
  // Some have methods put on them. Not symbols: Node keeps its own there.
  for (const name of Object.getOwnPropertyNames(promise)) {
    void Object.defineProperty(following, name, Object.getOwnPropertyDescriptor(promise, name)!);
  }
  return following;
}

/** False where nothing can be put on it. */
function hearThen(thenable: object, then: Then, end: End): boolean {
  let isHeard = false;
  const once: End = (error) => {
    if (isHeard) return;
    isHeard = true;
    end(error);
  };
  // oxlint-disable-next-line unicorn/no-thenable -- it has one already
  return Reflect.defineProperty(thenable, "then", {
    configurable: true,
    writable: true,
    enumerable: false,
    value(this: unknown, onValue?: unknown, onError?: unknown) {
      const heardValue = (value: unknown): unknown => {
        once();
        return typeof onValue === "function" ? (onValue as Then)(value) : value;
      };
      const heardError = (error: unknown): unknown => {
        once({ thrown: error });
        if (typeof onError === "function") return (onError as Then)(error);
        throw error;
      };
      return then.call(this, heardValue, heardError);
    },
  });
}
