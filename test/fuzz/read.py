"""Reads OTLP requests with opentelemetry-proto, in the form of read-message.ts, for foreign-decoders.test.ts.

Standard input: one JSON list per line, [kind, what, text]. kind "request": what is the signal, text the
bytes in base64; answered by {"items": n, "reading": …} or {"refused": why}. kind "double" and "integer":
text is a decimal number; answered by the sixteen hex digits of the nearest double, or by all its digits.
kind "schema": what is the signal; answered by the fields of every message that its request may hold, each
as [number, name, type, "repeated", "oneof", "optional" or ""], by the messages' full names.
"""

import base64
import decimal
import json
import struct
import sys

from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
ITEMS = {
    "opentelemetry.proto.trace.v1.Span",
    "opentelemetry.proto.logs.v1.LogRecord",
    "opentelemetry.proto.metrics.v1.NumberDataPoint",
    "opentelemetry.proto.metrics.v1.HistogramDataPoint",
    "opentelemetry.proto.metrics.v1.ExponentialHistogramDataPoint",
    "opentelemetry.proto.metrics.v1.SummaryDataPoint",
}


def bits(value):
    return struct.pack(">d", float("nan") if value != value else value).hex()


class Reader:
    def __init__(self):
        self.items = 0

    def message(self, message):
        if message.DESCRIPTOR.full_name in ITEMS:
            self.items += 1
        reading = {}
        for field, value in message.ListFields():
            if isinstance(value, (str, bytes, int, float)) or not hasattr(value, "__len__"):
                reading[str(field.number)] = self.value(field, value)
            else:
                reading[str(field.number)] = [self.value(field, one) for one in value]
        return reading

    def value(self, field, value):
        if field.type == Field.TYPE_MESSAGE:
            return self.message(value)
        if field.type == Field.TYPE_STRING:
            return value.encode().hex()
        if field.type == Field.TYPE_BYTES:
            return value.hex()
        if field.type == Field.TYPE_DOUBLE:
            return bits(value)
        return str(int(value))


TYPES = {
    getattr(Field, name): name.removeprefix("TYPE_").lower()
    for name in dir(Field)
    if name.startswith("TYPE_")
}


def kind_of(field):
    if field.is_repeated:
        return "repeated"
    if not field.containing_oneof:
        return ""
    return "oneof" if len(field.containing_oneof.fields) > 1 else "optional"


def schema(descriptor, into):
    if descriptor.full_name in into:
        return into
    into[descriptor.full_name] = fields = []
    for field in descriptor.fields:
        message = field.message_type
        if message:
            schema(message, into)
        name_of_type = message.full_name if message else TYPES[field.type]
        fields.append([field.number, field.name, name_of_type, kind_of(field)])
    return into


def answer(kind, what, text):
    if kind == "double":
        return bits(float(text))
    if kind == "integer":
        number = decimal.Decimal(text)
        return str(int(number)) if number == number.to_integral_value() else "none"
    if kind == "schema":
        return schema(REQUESTS[what].DESCRIPTOR, {})
    request = REQUESTS[what]()
    try:
        request.ParseFromString(base64.b64decode(text))
    except DecodeError as error:
        return {"refused": str(error)}
    reader = Reader()
    reading = reader.message(request)
    return {"items": reader.items, "reading": reading}


decimal.getcontext().prec = 5000
sys.setrecursionlimit(10_000)
for line in sys.stdin:
    print(json.dumps(answer(*json.loads(line))))
