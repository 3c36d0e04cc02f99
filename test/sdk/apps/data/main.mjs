import { Redis } from "ioredis";
import knex from "knex";
import { Client, Pool } from "pg";
import { createClient } from "redis";
import run from "./app.cjs";

await run({ ioredis: { Redis }, knex, pg: { Client, Pool }, redis: { createClient } });
