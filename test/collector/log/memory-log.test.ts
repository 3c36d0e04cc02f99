import { MemoryLog } from "../../../collector/log/memory-log.ts";
import { logContract } from "../../contract/log.ts";

logContract("the memory log", async (limit) => new MemoryLog(limit));
