// The Prometheus text format 0.0.4, for the collector's own metrics and for those that it passes on:
// https://prometheus.io/docs/instrumenting/exposition_formats/
//
//   # HELP http_requests_total What the family is.
//   # TYPE http_requests_total counter
//   http_requests_total{method="GET",path="say \"hi\""} 3

export const contentType = "text/plain; version=0.0.4; charset=utf-8";

export type FamilyType = "counter" | "gauge" | "histogram" | "summary" | "untyped";
export type Label = readonly [name: string, value: string];

export interface Family {
  readonly name: string;
  readonly type: FamilyType;
  readonly help: string;
  readonly samples: readonly Sample[];
}

export interface Sample {
  /** Such as "_bucket"; nothing for most. */
  readonly suffix?: string;
  readonly labels: readonly Label[];
  readonly value: number;
}

/** Names are taken as they are; label values and help may be any text. */
export function exposition(families: Iterable<Family>): string {
  let text = "";
  for (const family of families) {
    text += familyHead(family);
    for (const { suffix = "", labels, value } of family.samples) {
      text += sampleLine(family.name + suffix, labelText(labels), value);
    }
  }
  return text;
}

export function familyHead({ name, type, help }: Omit<Family, "samples">): string {
  const helpLine = help ? `# HELP ${name} ${escapeHelp(help)}\n` : "";
  return `${helpLine}# TYPE ${name} ${type}\n`;
}

/** `labels` as labelText makes them, so that whoever writes the same series again can keep them. */
export function sampleLine(name: string, labels: string, value: number): string {
  return labels ? `${name}{${labels}} ${numberText(value)}\n` : `${name} ${numberText(value)}\n`;
}

/** `lead` stands in front if there is any label: a comma where the text goes on from another one. */
export function labelText(labels: readonly Label[], lead = ""): string {
  const pieces: string[] = [];
  for (const [name, value] of labels) {
    pieces.push(pieces.length === 0 ? lead : ",", name, '="', escapeValue(value), '"');
  }
  return pieces.join(""); // one flat string, where adding them up would keep every piece alive
}

export function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

const escapeHelp = (help: string): string => help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");

const escapeValue = (value: string): string =>
  /[\\\n"]/.test(value) ? escapeHelp(value).replaceAll('"', '\\"') : value;
