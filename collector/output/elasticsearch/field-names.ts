// What the fields of a document are called: as in OpenTelemetry's data streams, or by the Elastic Common
// Schema, where the attributes that it has a field for stand in that field instead. All other attributes
// stay where they are, so that nothing is lost and no two can contradict each other.

export interface FieldNames {
  /** Of the data streams' names, and of their datasets. */
  readonly suffix: "otel" | "ecs";
  readonly observed: string;
  readonly severityNumber: string;
  readonly severityText: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly eventName: string;
  readonly span: SpanNames;
  /** Undefined where the body keeps its kind, in an object of its own. */
  readonly message: string | undefined;
  /** By the name of an attribute, where it is a text. */
  readonly ofAttributes: ReadonlyMap<string, string>;
  readonly scopeName: string | undefined;
}

export interface SpanNames {
  readonly parentId: string;
  readonly state: string;
  readonly kind: string;
  /** Nanoseconds. */
  readonly duration: string;
  /** An object with code and message; else the outcome by the words of the Common Schema. */
  readonly status: string | undefined;
  /** Of the name of a span; by what it is where these are told apart, as Elastic's APM has it. */
  readonly name: string;
  readonly transactionName: string;
}

const otel: FieldNames = {
  suffix: "otel",
  observed: "observed_timestamp",
  severityNumber: "severity_number",
  severityText: "severity_text",
  traceId: "trace_id",
  spanId: "span_id",
  eventName: "event_name",
  span: {
    parentId: "parent_span_id",
    state: "trace_state",
    kind: "kind",
    duration: "duration",
    status: "status",
    name: "name",
    transactionName: "name",
  },
  message: undefined,
  ofAttributes: new Map(),
  scopeName: undefined,
};

/** No name here may be the beginning of another one. */
const ecs: FieldNames = {
  suffix: "ecs",
  observed: "event.created",
  severityNumber: "event.severity",
  severityText: "log.level",
  traceId: "trace.id",
  spanId: "span.id",
  eventName: "event.action",
  span: {
    parentId: "parent.id",
    state: "trace.state",
    kind: "span.kind",
    duration: "event.duration",
    status: undefined,
    name: "span.name",
    transactionName: "transaction.name",
  },
  message: "message",
  scopeName: "log.logger",
  ofAttributes: new Map([
    ["service.name", "service.name"],
    ["service.version", "service.version"],
    ["service.instance.id", "service.node.name"],
    ["deployment.environment.name", "service.environment"],
    ["deployment.environment", "service.environment"],
    ["telemetry.sdk.name", "agent.name"],
    ["telemetry.sdk.version", "agent.version"],
    ["host.name", "host.name"],
    ["host.id", "host.id"],
    ["host.arch", "host.architecture"],
    ["os.type", "host.os.platform"],
    ["os.name", "host.os.name"],
    ["os.version", "host.os.version"],
    ["container.id", "container.id"],
    ["container.name", "container.name"],
    ["container.image.name", "container.image.name"],
    ["cloud.provider", "cloud.provider"],
    ["cloud.region", "cloud.region"],
    ["cloud.availability_zone", "cloud.availability_zone"],
    ["cloud.account.id", "cloud.account.id"],
    ["cloud.platform", "cloud.service.name"],
    ["k8s.cluster.name", "orchestrator.cluster.name"],
    ["k8s.namespace.name", "kubernetes.namespace"],
    ["k8s.pod.name", "kubernetes.pod.name"],
    ["k8s.pod.uid", "kubernetes.pod.uid"],
    ["k8s.node.name", "kubernetes.node.name"],
    ["k8s.deployment.name", "kubernetes.deployment.name"],
    ["exception.type", "error.type"],
    ["exception.message", "error.message"],
    ["exception.stacktrace", "error.stack_trace"],
    ["http.request.method", "http.request.method"],
    ["url.full", "url.full"],
    ["url.path", "url.path"],
    ["client.address", "client.address"],
    ["user_agent.original", "user_agent.original"],
    ["user.id", "user.id"],
    ["thread.name", "process.thread.name"],
  ]),
};

export const fieldNames = { otel, ecs } as const;
