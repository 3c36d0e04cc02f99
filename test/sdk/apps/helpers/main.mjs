import { metrics, tracked } from "sonde";
import run from "./app.cjs";

await run({ metrics, tracked });
