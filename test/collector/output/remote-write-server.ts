// A server that reads what a remote write receiver reads, of both versions, and answers as it is told.

import { createServer, type IncomingHttpHeaders } from "node:http";
import protobuf from "protobufjs";
import { uncompress } from "snappyjs";
import { listenLocally } from "../../support/listen.ts";

const { root } = protobuf.parse(
  `
  syntax = "proto3";
  message Label { string name = 1; string value = 2; }
  message Sample { double value = 1; int64 timestamp = 2; }
  message Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }
  message Exemplar2 { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }
  message Span { sint32 offset = 1; uint32 length = 2; }
  message Histogram {
    uint64 count_int = 1; double sum = 3; sint32 schema = 4; double zero_threshold = 5;
    uint64 zero_count_int = 6; repeated Span negative_spans = 8; repeated sint64 negative_deltas = 9;
    repeated Span positive_spans = 11; repeated sint64 positive_deltas = 12; int64 timestamp = 15;
  }
  message TimeSeries {
    repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3;
    repeated Histogram histograms = 4;
  }
  message WriteRequest { repeated TimeSeries timeseries = 1; }
  message Metadata { uint32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
  message TimeSeries2 {
    repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3;
    repeated Exemplar2 exemplars = 4; Metadata metadata = 5;
    int64 created_timestamp = 6;
  }
  message Request { repeated string symbols = 4; repeated TimeSeries2 timeseries = 5; }
`,
  { keepCase: true },
);

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly atMs: number;
  /** In place of a value. */
  readonly histogram?: object;
  readonly exemplars?: readonly object[];
  /** Of version 2.0. */
  readonly metadata?: { readonly type: number; readonly help: string; readonly unit: string };
  readonly createdMs?: number;
}

interface Decoded {
  readonly symbols: string[];
  readonly timeseries: {
    readonly labels: { readonly name: string; readonly value: string }[];
    readonly labels_refs: number[];
    readonly samples: { readonly value: number; readonly timestamp: number }[];
    readonly histograms: { readonly timestamp: number }[];
    readonly exemplars: {
      readonly labels: { readonly name: string; readonly value: string }[];
      readonly labels_refs: number[];
      readonly value: number;
      readonly timestamp: number;
    }[];
    readonly metadata: {
      readonly type: number;
      readonly help_ref: number;
      readonly unit_ref: number;
    };
    readonly created_timestamp: number;
  }[];
}

const options = { longs: Number, defaults: true, arrays: true };

/** Of what is in a request, without its compression. */
export function readSamples(body: Uint8Array, version: string): Sample[] {
  const isSecond = version.startsWith("2.");
  const type = root.lookupType(isSecond ? "Request" : "WriteRequest");
  const { timeseries, symbols } = type.toObject(type.decode(body), options) as Decoded;
  const names: string[] = [];
  return timeseries.flatMap((one) => {
    if (!isSecond) names.splice(0, names.length, ...one.labels.map(({ name }) => name));
    const labels = isSecond
      ? pairs(one.labels_refs.map((at) => symbols[at]!))
      : one.labels.map(({ name, value }): [string, string] => [name, value]);
    const sorted = labels.map(([name]) => name).toSorted();
    if (labels.some(([name], at) => name !== sorted[at])) throw new Error("labels are not sorted");
    const { metadata, created_timestamp: createdMs } = one;
    const described = isSecond && {
      metadata: {
        type: metadata.type,
        help: symbols[metadata.help_ref]!,
        unit: symbols[metadata.unit_ref]!,
      },
      createdMs,
    };
    const exemplars = one.exemplars.map((exemplar) => ({
      labels: Object.fromEntries(
        isSecond
          ? pairs(exemplar.labels_refs.map((at) => symbols[at]!))
          : exemplar.labels.map(({ name, value }): [string, string] => [name, value]),
      ),
      value: exemplar.value,
      atMs: exemplar.timestamp,
    }));
    const rest = { ...(exemplars.length > 0 ? { exemplars } : {}), ...described };
    const histograms = one.histograms.map(({ timestamp: atMs, ...histogram }) => {
      return { labels: Object.fromEntries(labels), value: 0, atMs, histogram, ...rest };
    });
    const samples = one.samples.map(({ value, timestamp: atMs }) => {
      return { labels: Object.fromEntries(labels), value, atMs, ...rest };
    });
    return [...samples, ...histograms];
  });
}

function pairs(texts: readonly string[]): [string, string][] {
  return texts.flatMap((text, at): [string, string][] =>
    at % 2 === 0 ? [[text, texts[at + 1]!]] : [],
  );
}

export interface RemoteWriteServer {
  readonly url: string;
  /** Of requests that were taken. */
  readonly samples: Sample[];
  readonly requests: { readonly headers: IncomingHttpHeaders; readonly bytes: number }[];
  /** For the next request; whatever is undefined is taken. */
  answer: (bytes: number) => readonly [status: number, text: string] | undefined;
  close(): Promise<void>;
}

export async function startRemoteWrite(): Promise<RemoteWriteServer> {
  const samples: Sample[] = [];
  const requests: { headers: IncomingHttpHeaders; bytes: number }[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const body = Buffer.concat(chunks);
      const { headers } = request;
      const whole = uncompress(body);
      const bytes = whole.length;
      requests.push({ headers, bytes });
      const refusal = self.answer(bytes);
      if (refusal) {
        response.writeHead(refusal[0]).end(refusal[1]);
        return;
      }
      const version = String(headers["x-prometheus-remote-write-version"]);
      const taken = readSamples(whole, version);
      samples.push(...taken);
      const written = version.startsWith("2.")
        ? { "x-prometheus-remote-write-samples-written": String(taken.length) }
        : {};
      response.writeHead(204, written).end();
    })();
  });
  const port = await listenLocally(server);
  const self: RemoteWriteServer = {
    url: `http://127.0.0.1:${port}/api/v1/write`,
    samples,
    requests,
    answer: () => undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return self;
}
