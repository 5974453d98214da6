"""Answers for Neutron on loopback: neutron_stub.py PORT FOLDER BRIDGE.

A cloud with one network, which all projects share and nothing is behind: Nova makes ports in it, and puts its guests' cards into BRIDGE, which it makes. Each port is
a file in FOLDER, named by its id. Networks, routers and the like can't be made. Nova asks Neutron about each server, also one without a network card: empty lists are
enough for that.
"""
import contextlib
import http.server
import json
import os
import sys
import threading
import urllib.parse
import uuid

SUBNET = {"id": "00000000-0000-0000-0000-0000000000e1", "name": "mini", "cidr": "198.18.0.0/16", "gateway_ip": None, "ip_version": 4, "enable_dhcp": False,
          "dns_nameservers": [], "host_routes": [], "allocation_pools": [{"start": "198.18.0.2", "end": "198.18.255.254"}]}
NETWORK = {"id": "00000000-0000-0000-0000-0000000000e0", "name": "mini", "tenant_id": "", "project_id": "", "admin_state_up": True, "status": "ACTIVE",
           "shared": True, "router:external": False, "port_security_enabled": True, "mtu": 1500, "subnets": [SUBNET["id"]]}
SUBNET["network_id"] = NETWORK["id"]
GROUP = {"id": "00000000-0000-0000-0000-0000000000d0", "name": "default", "security_group_rules": []}
ENDLESS = dict.fromkeys(("port", "network", "security_group", "security_group_rule", "floatingip"), -1)


class Ports:
    def __init__(self, folder: str, bridge: str):
        self.folder = folder
        self.bridge = bridge
        self.lock = threading.Lock()
        os.makedirs(folder, exist_ok=True)

    def all(self) -> list[dict]:
        return [port for name in sorted(os.listdir(self.folder)) if (port := self.find(name))]

    def find(self, name: str) -> dict | None:
        with contextlib.suppress(FileNotFoundError, ValueError), open(os.path.join(self.folder, str(uuid.UUID(name)))) as file:
            return json.load(file)
        return None

    def make(self, asked: dict) -> dict:
        name = str(uuid.uuid4())
        taken = {address["ip_address"] for port in self.all() for address in port["fixed_ips"]}
        free = next(ip for n in range(2, 65535) if (ip := f"198.18.{n >> 8}.{n & 255}") not in taken)
        given = {"name": "", "admin_state_up": True, "device_id": "", "device_owner": "", "security_groups": [GROUP["id"]], "binding:host_id": "", "binding:profile": {}}
        made = {"id": name, "status": "ACTIVE", "mac_address": f"fa:16:3e:{name[0:2]}:{name[2:4]}:{name[4:6]}", "binding:vif_type": "bridge",
                # With filters of its own: Nova needs to write none into the machine's.
                "binding:vif_details": {"bridge_name": self.bridge, "port_filter": True},
                "binding:vnic_type": "normal", "fixed_ips": [{"subnet_id": SUBNET["id"], "ip_address": free}]}
        return self.write({**given, **asked, **made, "project_id": asked.get("tenant_id", "")})

    def write(self, port: dict) -> dict:
        path = os.path.join(self.folder, port["id"])
        with open(f"{path}.new", "w") as file:
            json.dump(port, file)
        os.rename(f"{path}.new", path)
        return port

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError, ValueError):
            os.remove(os.path.join(self.folder, str(uuid.UUID(name))))


class Stub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    ports: Ports

    @property
    def resource(self) -> list[str]:
        return self.path.split("?")[0].strip("/").removesuffix(".json").split("/")

    def answer(self, status: int, body: object = None) -> None:
        text = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def list_those(self, kind: str, entries: list[dict]) -> None:
        """Those that have one of the asked values in each member that is asked for."""
        asked = urllib.parse.parse_qs(self.path.partition("?")[2])
        self.answer(200, {kind: [entry for entry in entries if all(str(entry[key]).lower() in map(str.lower, values) for key, values in asked.items() if key in entry)]})

    def show(self, kind: str, entry: dict | None) -> None:
        if entry:
            self.answer(200, {kind: entry})
        else:
            self.refuse(404, f"{kind.capitalize()}NotFound")

    def do_GET(self) -> None:
        match self.resource:
            case [""] | ["v2.0"]:
                self.answer(200, {"versions": [{"id": "v2.0", "status": "CURRENT", "links": []}], "resources": []})
            case ["v2.0", "networks"]:
                self.list_those("networks", [NETWORK])
            case ["v2.0", "networks", name]:
                self.show("network", NETWORK if name == NETWORK["id"] else None)
            case ["v2.0", "subnets"]:
                self.list_those("subnets", [SUBNET])
            case ["v2.0", "ports"]:
                self.list_those("ports", self.ports.all())
            case ["v2.0", "ports", name]:
                self.show("port", self.ports.find(name))
            case ["v2.0", "security-groups"]:
                self.answer(200, {"security_groups": [GROUP]})
            case ["v2.0", "quotas", *_]:
                self.answer(200, {"quota": ENDLESS})
            case ["v2.0", kind]:
                self.answer(200, {kind.replace("-", "_"): []})
            case _:
                self.refuse(404, "NotFound")

    def do_DELETE(self) -> None:
        match self.resource:
            case ["v2.0", "ports", name]:
                self.ports.remove(name)
        self.answer(204)

    def do_POST(self) -> None:
        body = self.body()
        match self.resource:
            case ["v2.0", "ports"] if body["port"].get("network_id") == NETWORK["id"]:
                with self.ports.lock:
                    self.answer(201, {"port": self.ports.make(body["port"])})
            case _:
                self.refuse(501, "NotImplemented")

    def do_PUT(self) -> None:
        body = self.body()
        match self.resource:
            case ["v2.0", "ports", name]:
                with self.ports.lock:
                    port = self.ports.find(name)
                    self.show("port", port and self.ports.write({**port, **body["port"]}))
            case _:
                self.refuse(501, "NotImplemented")

    def body(self) -> dict:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")

    def refuse(self, status: int, kind: str) -> None:
        self.answer(status, {"NeutronError": {"type": kind, "message": f"{self.command} {self.path}: this cloud has one network", "detail": ""}})

    def log_message(self, format: str, *args: object) -> None:
        print(format % args, flush=True)


if __name__ == "__main__":
    Stub.ports = Ports(sys.argv[2], sys.argv[3])
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Stub).serve_forever()
