import * as http2 from "node:http2";
import run from "./app.cjs";

run(http2);
