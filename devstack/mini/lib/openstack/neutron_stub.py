"""Answers for Neutron on loopback, a cloud without networks: neutron_stub.py PORT.

Nova asks Neutron about each server, also one without a network card. Empty lists are enough for it; nothing can be made here.
"""
import http.server
import json
import sys


class Stub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def answer(self, status: int, body: object = None) -> None:
        text = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        match self.path.split("?")[0].strip("/").removesuffix(".json").split("/"):
            case [""] | ["v2.0"]:
                self.answer(200, {"versions": [{"id": "v2.0", "status": "CURRENT", "links": []}], "resources": []})
            case ["v2.0", "security-groups"]:
                self.answer(200, {"security_groups": [{"id": "00000000-0000-0000-0000-0000000000d0", "name": "default", "security_group_rules": []}]})
            case ["v2.0", "quotas", *_]:
                self.answer(200, {"quota": dict.fromkeys(("port", "network", "security_group", "security_group_rule", "floatingip"), -1)})
            case ["v2.0", kind]:
                self.answer(200, {kind.replace("-", "_"): []})
            case _:
                self.refuse(404, "NotFound")

    def do_DELETE(self) -> None:
        self.answer(204)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.refuse(501, "NotImplemented")

    do_PUT = do_POST

    def refuse(self, status: int, kind: str) -> None:
        self.answer(status, {"NeutronError": {"type": kind, "message": f"{self.command} {self.path}: there are no networks here", "detail": ""}})

    def log_message(self, format: str, *args: object) -> None:
        print(format % args, flush=True)


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Stub).serve_forever()
