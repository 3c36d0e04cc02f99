// What a process compiled, the next one need not: an app under the SDK, run from source, starts with half the
// work (0.95 s of CPU became 0.43 s), and hundreds of them are started. The folder is Node's own default.

import { tmpdir } from "node:os";
import { join } from "node:path";

/** For the environment of a Node that a test starts. */
export const compileCache = {
  NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache"),
} as const;
