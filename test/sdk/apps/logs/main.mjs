import { trace } from "@opentelemetry/api";
import bunyan from "bunyan";
import { pino } from "pino";
import * as winston from "winston";
import run from "./app.cjs";

run({ bunyan, pino, trace, winston });
