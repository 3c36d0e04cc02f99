// The public API.

export { start } from "./start.ts";
export type { Sonde } from "./start.ts";
