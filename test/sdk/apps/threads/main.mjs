import * as http from "node:http";
import { fileURLToPath } from "node:url";
import * as threads from "node:worker_threads";
import run from "./app.cjs";

run({ threads, http }, fileURLToPath(import.meta.url));
