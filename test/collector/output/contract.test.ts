import { signals } from "../../../collector/wire/batch.ts";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { open as openDebug } from "../../../collector/output/debug/debug.ts";
import { open as openElasticsearch } from "../../../collector/output/elasticsearch/elasticsearch.ts";
import { settings as elasticsearchSettings } from "../../../collector/output/elasticsearch/settings.ts";
import { open as openFile } from "../../../collector/output/file/file.ts";
import { settings as fileSettings } from "../../../collector/output/file/settings.ts";
import { open as openLoki } from "../../../collector/output/loki/loki.ts";
import { settings as lokiSettings } from "../../../collector/output/loki/settings.ts";
import { open as openOtlp } from "../../../collector/output/otlp/otlp.ts";
import { settings as otlpSettings } from "../../../collector/output/otlp/settings.ts";
import { open as openPrometheus } from "../../../collector/output/prometheus/prometheus.ts";
import { open as openRemoteWrite } from "../../../collector/output/prometheus/remote-write.ts";
import { remoteWriteSettings } from "../../../collector/output/prometheus/remote-write-settings.ts";
import { settings as prometheusSettings } from "../../../collector/output/prometheus/settings.ts";
import { bytesFromJson } from "../../support/otlp-json.ts";
import { validate } from "../../../collector/wire/validate.ts";
import { outputContext, outputContract } from "../../contract/output.ts";
import { startSink } from "../../support/sink.ts";
import { startServer } from "./elasticsearch-server.ts";
import { readPush, startLoki } from "./loki-server.ts";
import { startRemoteWrite } from "./remote-write-server.ts";

const away = { status: 503, body: "away" };

for (const compression of ["none", "gzip", "zstd"]) {
  outputContract(`otlp over HTTP, compression ${compression}`, async () => {
    const sink = await startSink();
    const settings = otlpSettings.parse({ endpoint: sink.url, compression });
    return {
      output: await openOtlp(settings, outputContext()),
      arrived: async (wanted) => {
        let items = 0;
        for (const { signal, bytes } of sink.requests) {
          const result = validate(signal, bytes);
          if (signal === wanted && result.kind === "valid") items += result.batch.items;
        }
        return items;
      },
      outage: {
        begin: async () => {
          sink.misbehave = (response) => !!response.destroy();
        },
        end: async () => {
          sink.misbehave = undefined;
        },
      },
      close: () => sink.close(),
    };
  });
}

for (const signal of signals) {
  outputContract(`elasticsearch for ${signal}`, async () => {
    const server = await startServer();
    const settings = elasticsearchSettings.parse({ url: server.url, signals: [signal] });
    return {
      output: await openElasticsearch(settings, outputContext()),
      arrived: async () => server.stored.size,
      outage: {
        begin: async () => {
          server.onBulk = () => away;
        },
        end: async () => {
          server.onBulk = undefined;
        },
      },
      close: () => server.close(),
    };
  });
}

for (const protocol of ["otlp", "push"]) {
  outputContract(`loki by ${protocol}`, async () => {
    const server = await startLoki();
    const settings = lokiSettings.parse({ url: server.url, protocol });
    let failures = 0;
    return {
      output: await openLoki(settings, outputContext()),
      arrived: async () => {
        const taken = server.received.slice(failures);
        const counts = taken.map(({ body }) =>
          protocol === "push"
            ? Object.values(readPush(body)).flat().length
            : validItems(validate("logs", body)),
        );
        return counts.reduce((sum, count) => sum + count, 0);
      },
      outage: {
        begin: async () => {
          server.answer = [503, "away"];
        },
        end: async () => {
          server.answer = [204, ""];
          failures = server.received.length;
        },
      },
      close: () => server.close(),
    };
  });
}

outputContract("prometheus", async () => ({
  output: await openPrometheus(prometheusSettings.parse({ port: 0 }), outputContext()),
  arrived: async () => undefined, // series, not points: prometheus.test.ts looks at these
  close: async () => {},
}));

for (const version of ["1.0", "2.0"]) {
  outputContract(`remote write of version ${version}`, async () => {
    const server = await startRemoteWrite();
    const settings = remoteWriteSettings.parse({ url: server.url, version });
    return {
      output: await openRemoteWrite(settings, outputContext()),
      arrived: async () => undefined, // samples, not points: remote-write.test.ts looks at these
      outage: {
        begin: async () => {
          server.answer = () => [503, "away"];
        },
        end: async () => {
          server.answer = () => undefined;
        },
      },
      close: () => server.close(),
    };
  });
}

outputContract("file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sonde-file-"));
  const path = join(folder, "there", "out.jsonl");
  mkdirSync(dirname(path));
  return {
    output: await openFile(fileSettings.parse({ path }), outputContext()),
    arrived: async (signal) => {
      const lines = readFileSync(path, "utf8").trim().split("\n");
      return lines
        .map((line) => bytesFromJson(signal, line))
        .map((bytes) => validate(signal, bytes))
        .reduce((items, result) => items + (result.kind === "valid" ? result.batch.items : 0), 0);
    },
    outage: {
      begin: async () => renameSync(dirname(path), join(folder, "away")),
      end: async () => renameSync(join(folder, "away"), dirname(path)),
    },
    close: async () => rmSync(folder, { recursive: true, force: true }),
  };
});

outputContract("debug", async () => {
  let text = "";
  const write = async (more: string): Promise<void> => {
    text += more;
  };
  return {
    output: await openDebug({ verbosity: "summary" }, outputContext(), write),
    arrived: async (signal) => {
      const line = text.split("\n").find((candidate) => candidate.startsWith(signal));
      return Number(/\d+/.exec(line ?? "")?.[0]);
    },
    close: async () => {},
  };
});

function validItems(result: ReturnType<typeof validate>): number {
  return result.kind === "valid" ? result.batch.items : 0;
}
