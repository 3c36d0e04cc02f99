// Reads what Prometheus scrapes as protobuf, by protobufjs and the fields of its metrics.proto.

import protobuf from "protobufjs";

/** Asks for it. */
export const accept =
  "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

const schema = `
syntax = "proto3";
message LabelPair { string name = 1; string value = 2; }
message Timestamp { int64 seconds = 1; int32 nanos = 2; }
message Exemplar { repeated LabelPair label = 1; double value = 2; Timestamp timestamp = 3; }
message Gauge { double value = 1; }
message Counter { double value = 1; Exemplar exemplar = 2; Timestamp created_timestamp = 3; }
message Quantile { double quantile = 1; double value = 2; }
message Summary {
  uint64 sample_count = 1; double sample_sum = 2; repeated Quantile quantile = 3;
  Timestamp created_timestamp = 4;
}
message Bucket { uint64 cumulative_count = 1; double upper_bound = 2; Exemplar exemplar = 3; }
message BucketSpan { sint32 offset = 1; uint32 length = 2; }
message Histogram {
  uint64 sample_count = 1; double sample_sum = 2; repeated Bucket bucket = 3;
  optional sint32 schema = 5; double zero_threshold = 6; uint64 zero_count = 7;
  repeated BucketSpan negative_span = 9; repeated sint64 negative_delta = 10;
  repeated BucketSpan positive_span = 12; repeated sint64 positive_delta = 13;
  Timestamp created_timestamp = 15; repeated Exemplar exemplars = 16;
}
message Metric {
  repeated LabelPair label = 1; Gauge gauge = 2; Counter counter = 3; Summary summary = 4;
  Histogram histogram = 7;
}
enum MetricType { COUNTER = 0; GAUGE = 1; SUMMARY = 2; UNTYPED = 3; HISTOGRAM = 4; }
message MetricFamily {
  string name = 1; string help = 2; MetricType type = 3; repeated Metric metric = 4; string unit = 5;
}`;

const MetricFamily = protobuf.parse(schema, { keepCase: true }).root.lookupType("MetricFamily");

/** One after the other, each behind its length. */
export function readFamilies(bytes: Uint8Array): readonly unknown[] {
  const reader = protobuf.Reader.create(bytes);
  const families: unknown[] = [];
  while (reader.pos < reader.len) {
    const family = MetricFamily.decodeDelimited(reader);
    families.push(MetricFamily.toObject(family, { longs: Number, enums: String }));
  }
  return families;
}
