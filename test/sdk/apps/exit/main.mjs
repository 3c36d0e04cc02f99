import { logs, metrics, trace } from "@opentelemetry/api";
import run from "./app.cjs";

run({ logs, metrics, trace });
