// The preload: `node --require sonde/register app.js`, or `--import`. Synchronous to the last import, or
// `--require` could not load it.

import { start } from "./start.ts";

start();
