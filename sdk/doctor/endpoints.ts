// Whether anybody takes OTLP where the SDK will send it: an export request with nothing in it is asked of
// each address, as the settings say it has to be asked.

import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { connect } from "node:net";
import type { OtlpSettings, Settings } from "../settings.ts";
import { messageOf } from "../tell.ts";

export interface Endpoint {
  readonly signals: readonly string[];
  readonly url: string;
  readonly protocol: string;
  /** Absent if it takes what is sent. */
  readonly failure?: string | undefined;
}

const signals = ["traces", "metrics", "logs"] as const;

export async function checkEndpoints(settings: Settings): Promise<readonly Endpoint[]> {
  const wanted = signals.filter((signal) =>
    (settings[signal].exporters as readonly string[]).includes("otlp"),
  );
  return await Promise.all(
    wanted.map(async (signal) => {
      const { otlp } = settings[signal];
      const isGrpc = otlp.protocol === "grpc";
      const url = isGrpc ? grpcUrl(signal) : otlp.url;
      const failure = await (isGrpc ? connects(url) : takesOtlp(otlp));
      return { signals: [signal], url, protocol: otlp.protocol, failure };
    }),
  );
}

/** As OpenTelemetry's gRPC exporters read it. */
function grpcUrl(signal: string): string {
  const { env } = process;
  return (
    env[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`] ||
    env["OTEL_EXPORTER_OTLP_ENDPOINT"] ||
    "http://localhost:4317"
  );
}

const limitMs = 5000;

function connects(url: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const { hostname, port, protocol } = new URL(/:\/\//.test(url) ? url : `http://${url}`);
    const socket = connect({
      host: hostname.replaceAll(/[[\]]/g, ""),
      port: Number(port) || (protocol === "https:" ? 443 : 80),
      timeout: limitMs,
    });
    const end = (failure?: string): void => {
      socket.destroy();
      resolve(failure);
    };
    socket.on("connect", () => end());
    socket.on("timeout", () => end(`no answer within ${limitMs / 1000} seconds`));
    socket.on("error", (error) => end(explain(error)));
  });
}

function takesOtlp({ url, protocol, headers, tls }: OtlpSettings): Promise<string | undefined> {
  const isJson = protocol === "http/json";
  const body = isJson ? "{}" : ""; // what an empty message is in either
  return new Promise((resolve) => {
    try {
      const request = url.startsWith("https:") ? requestHttps : requestHttp;
      const sent = request(url, {
        method: "POST",
        agent: false,
        timeout: limitMs,
        headers: {
          "content-type": isJson ? "application/json" : "application/x-protobuf",
          "content-length": body.length,
          ...headers,
        },
        ...tls,
      });
      sent.on("response", (response) => {
        response.resume();
        resolve(explainStatus(response.statusCode ?? 0, response.statusMessage ?? ""));
      });
      sent.on("timeout", () =>
        sent.destroy(new Error(`no answer within ${limitMs / 1000} seconds`)),
      );
      sent.on("error", (error) => resolve(explain(error)));
      sent.end(body);
    } catch (error) {
      resolve(messageOf(error));
    }
  });
}

function explainStatus(status: number, message: string): string | undefined {
  if (status >= 200 && status < 300) return undefined;
  const answer = `it answers ${status} ${message}`.trimEnd();
  if (status === 401 || status === 403) return `${answer}; see OTEL_EXPORTER_OTLP_HEADERS`;
  if (status === 404) return `${answer}; is it the address of an OTLP receiver, path included?`;
  return answer;
}

function explain(error: NodeJS.ErrnoException): string {
  const message = messageOf(error);
  if (/ECONNREFUSED/.test(message)) return `nobody listens there (${message})`;
  if (/Parse Error|HPE_|socket hang up|ECONNRESET/.test(`${message} ${error.code ?? ""}`)) {
    return `what listens there speaks no HTTP/1.1; 4317 is the port of grpc, 4318 that of HTTP`;
  }
  return message;
}
