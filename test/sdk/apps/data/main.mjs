import { Client } from "pg";
import { createClient } from "redis";
import run from "./app.cjs";

await run({ pg: { Client }, redis: { createClient } });
