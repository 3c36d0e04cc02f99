// The formats in which a trace goes from process to process.

export const propagatorNames = [
  "tracecontext",
  "baggage",
  "b3",
  "b3multi",
  "jaeger",
  "xray",
  "ottrace",
] as const;
export type PropagatorName = (typeof propagatorNames)[number];
