// For OpenTelemetry's instrumentation of http. Ours needs none of it: https alone, with all the cryptography
// below it, takes as long to load as the rest of the SDK.

import { createRequire, syncBuiltinESMExports } from "node:module";

/** Asked for once, http and https are patched in place; their ES module names have to follow. */
export function patchBuiltins(): void {
  const require = createRequire(import.meta.url);
  require("node:http");
  require("node:https");
  syncBuiltinESMExports();
}
