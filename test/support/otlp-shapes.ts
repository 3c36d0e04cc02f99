// What OTLP requests look like in the JSON mapping, as test/support/otlp.ts takes and gives them: every
// field of otlp.proto that a request can hold.

export interface Request {
  resourceSpans?: ResourceSpans[];
  resourceMetrics?: ResourceMetrics[];
  resourceLogs?: ResourceLogs[];
}
interface Group {
  resource?: Resource;
  schemaUrl?: string;
}
export interface ResourceSpans extends Group {
  scopeSpans?: { scope?: Scope; spans?: Span[]; schemaUrl?: string }[];
}
export interface ResourceMetrics extends Group {
  scopeMetrics?: { scope?: Scope; metrics?: Metric[]; schemaUrl?: string }[];
}
export interface ResourceLogs extends Group {
  scopeLogs?: { scope?: Scope; logRecords?: LogRecord[]; schemaUrl?: string }[];
}
export interface Resource {
  attributes?: KeyValue[];
  droppedAttributesCount?: number;
  entityRefs?: {
    schemaUrl?: string;
    type?: string;
    idKeys?: string[];
    descriptionKeys?: string[];
  }[];
}
export interface Scope {
  name?: string;
  version?: string;
  attributes?: KeyValue[];
  droppedAttributesCount?: number;
}
export interface KeyValue {
  key?: string;
  value?: AnyValue;
}
export interface AnyValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string;
  doubleValue?: number;
  arrayValue?: { values?: AnyValue[] };
  kvlistValue?: { values?: KeyValue[] };
  bytesValue?: string;
}
export interface Span {
  traceId?: string;
  spanId?: string;
  traceState?: string;
  parentSpanId?: string;
  flags?: number;
  name?: string;
  kind?: number;
  startTimeUnixNano?: string;
  endTimeUnixNano?: string;
  attributes?: KeyValue[];
  droppedAttributesCount?: number;
  events?: SpanEvent[];
  droppedEventsCount?: number;
  links?: SpanLink[];
  droppedLinksCount?: number;
  status?: { message?: string; code?: number };
}
export interface SpanEvent {
  timeUnixNano?: string;
  name?: string;
  attributes?: KeyValue[];
  droppedAttributesCount?: number;
}
export interface SpanLink {
  traceId?: string;
  spanId?: string;
  traceState?: string;
  attributes?: KeyValue[];
  droppedAttributesCount?: number;
  flags?: number;
}
export interface LogRecord {
  timeUnixNano?: string;
  observedTimeUnixNano?: string;
  severityNumber?: number;
  severityText?: string;
  body?: AnyValue;
  attributes?: KeyValue[];
  droppedAttributesCount?: number;
  flags?: number;
  traceId?: string;
  spanId?: string;
  eventName?: string;
}
export interface Metric {
  name?: string;
  description?: string;
  unit?: string;
  gauge?: { dataPoints?: NumberDataPoint[] };
  sum?: Sum;
  histogram?: Histogram;
  exponentialHistogram?: {
    dataPoints?: ExponentialHistogramDataPoint[];
    aggregationTemporality?: number;
  };
  summary?: { dataPoints?: SummaryDataPoint[] };
  metadata?: KeyValue[];
}
export interface Sum {
  dataPoints?: NumberDataPoint[];
  aggregationTemporality?: number;
  isMonotonic?: boolean;
}
export interface Histogram {
  dataPoints?: HistogramDataPoint[];
  aggregationTemporality?: number;
}
interface DataPoint {
  attributes?: KeyValue[];
  startTimeUnixNano?: string;
  timeUnixNano?: string;
  flags?: number;
}
export interface NumberDataPoint extends DataPoint {
  asDouble?: number;
  asInt?: string;
  exemplars?: Exemplar[];
}
export interface HistogramDataPoint extends DataPoint {
  count?: string;
  sum?: number;
  min?: number;
  max?: number;
  bucketCounts?: string[];
  explicitBounds?: number[];
  exemplars?: Exemplar[];
}
export interface ExponentialHistogramDataPoint extends DataPoint {
  count?: string;
  sum?: number;
  min?: number;
  max?: number;
  scale?: number;
  zeroCount?: string;
  zeroThreshold?: number;
  positive?: { offset?: number; bucketCounts?: string[] };
  negative?: { offset?: number; bucketCounts?: string[] };
  exemplars?: Exemplar[];
}
export interface SummaryDataPoint extends DataPoint {
  count?: string;
  sum?: number;
  quantileValues?: { quantile?: number; value?: number }[];
}
export interface Exemplar {
  filteredAttributes?: KeyValue[];
  timeUnixNano?: string;
  asDouble?: number;
  asInt?: string;
  spanId?: string;
  traceId?: string;
}
