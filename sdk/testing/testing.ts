// `sonde/testing`: what a test needs to say "this request made these spans". See docs/testing.md.

export { spans, startCollector } from "./collector.ts";
export type { TestCollector, WaitOptions } from "./collector.ts";
export type { Attributes, Items, LogRecord, Metric, Point, Span } from "./items.ts";
export { matches } from "./match.ts";
export type { Pattern } from "./match.ts";
export { tree } from "./tree.ts";
