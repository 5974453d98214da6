"""Makes a project, a user and a catalogue with Swift in Keystone: keystone_seed.py KEYSTONE-URL SWIFT-PROXY-URL.

Standard input has the administrator's password and, in a second line, the new user's. What is there stays, so it may be run again. Prints
the user's application credential, its id and its secret in two lines.
"""
import json
import sys
import urllib.error
import urllib.request

NAME = "rbdbackup"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def call(method: str, url: str, token: str = "", body: object = None, fine: tuple = ()) -> tuple[dict, str]:
    """The answer's JSON and its X-Subject-Token; empty where the status is one of `fine`."""
    request = urllib.request.Request(url, method=method, data=json.dumps(body).encode() if body is not None else None)
    request.add_header("Content-Type", "application/json")
    request.add_header("X-Auth-Token", token)
    try:
        with OPENER.open(request, timeout=30) as answer:
            text = answer.read()
            return (json.loads(text) if text.startswith(b"{") else {}), answer.headers.get("X-Subject-Token", "")
    except urllib.error.HTTPError as e:
        if e.code in fine:
            return {}, ""
        sys.exit(f"{method} {url}: {e.code} {e.read().decode()}")


def log_in(keystone: str, user: str, password: str, project: str) -> tuple[dict, str]:
    domain = {"domain": {"id": "default"}}
    identity = {"methods": ["password"], "password": {"user": {"name": user, "password": password, **domain}}}
    return call("POST", f"{keystone}/auth/tokens", body={"auth": {"identity": identity, "scope": {"project": {"name": project, **domain}}}})


class Admin:
    def __init__(self, keystone: str, token: str):
        self.keystone, self.token = keystone, token

    def find_or_make(self, kind: str, query: str, body: dict) -> str:
        found = call("GET", f"{self.keystone}/{kind}s?{query}", self.token)[0][f"{kind}s"]
        return found[0]["id"] if found else call("POST", f"{self.keystone}/{kind}s", self.token, {kind: body})[0][kind]["id"]

    def grant(self, project: str, user: str, role: str) -> None:
        call("PUT", f"{self.keystone}/projects/{project}/users/{user}/roles/{role}", self.token)

    def add_endpoints(self, service: str, region: str, url: str) -> None:
        call("PUT", f"{self.keystone}/regions/{region}", self.token, {"region": {"id": region}}, fine=(409,))
        for interface in ("public", "internal", "admin"):
            query = f"service_id={service}&region_id={region}&interface={interface}"
            self.find_or_make("endpoint", query, {"service_id": service, "region_id": region, "interface": interface, "url": url})


def main(keystone: str, swift: str) -> None:
    admin_password, password = sys.stdin.read().split()
    admin = Admin(keystone, log_in(keystone, "admin", admin_password, "admin")[1])
    project = admin.find_or_make("project", f"name={NAME}", {"name": NAME, "domain_id": "default"})
    user = admin.find_or_make("user", f"name={NAME}", {"name": NAME, "domain_id": "default", "password": password})
    admin.grant(project, user, admin.find_or_make("role", "name=member", {"name": "member"}))
    service = admin.find_or_make("service", "type=object-store", {"type": "object-store", "name": "swift"})
    admin.add_endpoints(service, "RegionOne", f"{swift}/v1/AUTH_%(project_id)s")
    # Nobody listens there: who takes it did not look at the region.
    admin.add_endpoints(service, "RegionTwo", "http://127.0.0.1:1/v1/AUTH_%(project_id)s")

    token = log_in(keystone, NAME, password, NAME)[1]
    mine = f"{keystone}/users/{user}/application_credentials"
    for old in call("GET", mine, token)[0]["application_credentials"]:
        call("DELETE", f"{mine}/{old['id']}", token)
    credential = call("POST", mine, token, {"application_credential": {"name": NAME}})[0]["application_credential"]
    print(credential["id"], credential["secret"], sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
