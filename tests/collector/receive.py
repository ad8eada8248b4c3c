"""A collector of traces that shares no code with us: takes OTLP over HTTP, reads it with OpenTelemetry's own Python bindings,
and prints a line of JSON for each span. Its first line says which port it listens on.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


def plain(attributes):
    values = ((each.key, getattr(each.value, each.value.WhichOneof("value"))) for each in attributes)
    return dict(values)


def lines(request):
    for resource in request.resource_spans:
        of = plain(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    "service": of.get("service.name"),
                    "instance": of.get("service.instance.id"),
                    "trace": span.trace_id.hex(),
                    "span": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "name": span.name,
                    "kind": Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "attributes": plain(span.attributes),
                    "links": [{"trace": link.trace_id.hex(), "span": link.span_id.hex()} for link in span.links],
                    "status": Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_").lower(),
                }


class Collector(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        is_traces = self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf"
        if is_traces:
            request = ExportTraceServiceRequest.FromString(body)
            text = "".join(json.dumps(line) + "\n" for line in lines(request))
            print(text, end="", flush=True)
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200 if is_traces else 404)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    server.serve_forever()
