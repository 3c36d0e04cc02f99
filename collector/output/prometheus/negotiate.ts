// Which of the formats that we can write a scraper gets: the one that it likes best.
// https://prometheus.io/docs/instrumenting/content_negotiation

import { type Escaping, escapings } from "./escaping.ts";

export interface Format {
  readonly kind: "text" | "openmetrics" | "protobuf";
  readonly escaping: Escaping;
  readonly contentType: string;
}

/** For whoever asks for nothing that we have. */
export const plainText: Format = textFormat("0.0.4", "underscores");

/** More than any scraper lists; the rest is not looked at. */
const maxRanges = 32;

export function formatFor(accept = ""): Format {
  const ranges = accept.split(",", maxRanges).map(rangeOf);
  const wanted = ranges.filter(({ quality }) => quality > 0);
  for (const range of wanted.toSorted((a, b) => b.quality - a.quality)) {
    const format = formatOf(range);
    if (format) return format;
  }
  return plainText;
}

interface Range {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

function rangeOf(text: string): Range {
  const [type = "", ...rest] = text.split(";").map((part) => part.trim());
  const parameters = new Map(
    rest.map((parameter): [string, string] => {
      const [name = "", value = ""] = parameter.split("=", 2);
      return [name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, "$1")];
    }),
  );
  const quality = Number(parameters.get("q") ?? 1);
  return { type: type.toLowerCase(), parameters, quality: Number.isFinite(quality) ? quality : 1 };
}

const protobufType = "application/vnd.google.protobuf";
const openMetricsType = "application/openmetrics-text";
const family = "io.prometheus.client.MetricFamily";

function formatOf({ type, parameters }: Range): Format | undefined {
  const asked = parameters.get("escaping");
  const escaping = escapings.find((known) => known === asked) ?? "underscores";
  const version = parameters.get("version");
  switch (type) {
    case protobufType: {
      if (parameters.get("proto") !== family || parameters.get("encoding") !== "delimited") {
        return undefined;
      }
      const contentType = `${protobufType}; proto=${family}; encoding=delimited`;
      return { kind: "protobuf", escaping, contentType: `${contentType}; escaping=${escaping}` };
    }
    case openMetricsType: {
      const known = version ?? "1.0.0";
      if (known !== "1.0.0" && known !== "0.0.1") return undefined;
      const contentType = `${openMetricsType}; version=${known}; charset=utf-8`;
      return { kind: "openmetrics", escaping, contentType: `${contentType}; escaping=${escaping}` };
    }
    case "text/plain":
      if (version === "1.0.0") return textFormat(version, escaping);
      if (version !== undefined && version !== "0.0.4") return undefined;
      // A version that has no words for such names.
      return textFormat("0.0.4", escaping === "allow-utf-8" ? "underscores" : escaping);
    case "text/*":
    case "*/*":
      return textFormat("0.0.4", escaping === "allow-utf-8" ? "underscores" : escaping);
    default:
      return undefined;
  }
}

function textFormat(version: "0.0.4" | "1.0.0", escaping: Escaping): Format {
  const contentType = `text/plain; version=${version}; charset=utf-8; escaping=${escaping}`;
  return { kind: "text", escaping, contentType };
}
