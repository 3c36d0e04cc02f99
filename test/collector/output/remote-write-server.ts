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
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
  message WriteRequest { repeated TimeSeries timeseries = 1; }
  message Metadata { uint32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
  message TimeSeries2 {
    repeated uint32 labels_refs = 1; repeated Sample samples = 2; Metadata metadata = 5;
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
    return one.samples.map(({ value, timestamp }) => ({
      labels: Object.fromEntries(labels),
      value,
      atMs: timestamp,
      ...described,
    }));
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
