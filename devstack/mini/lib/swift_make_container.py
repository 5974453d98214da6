"""Creates a container: swift_make_container.py AUTH-URL USER CONTAINER, the key or password on standard input.

With /v3 at its end the URL is Keystone's, and the project is called as the user; else it is Swift's own. Creating a container that is
there succeeds, so this is also the test that Swift, the user and its key are there.
"""
import json
import sys
import urllib.request

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def log_in(url: str, user: str, key: str) -> tuple[str, str]:
    """The account's URL and a token."""
    request = urllib.request.Request(url, headers={"X-Auth-User": user, "X-Auth-Key": key})
    with OPENER.open(request, timeout=20) as answer:
        return answer.headers["X-Storage-Url"], answer.headers["X-Auth-Token"]


def log_in_to_keystone(url: str, user: str, password: str) -> tuple[str, str]:
    named = {"name": user, "domain": {"id": "default"}}
    identity = {"methods": ["password"], "password": {"user": {**named, "password": password}}}
    body = json.dumps({"auth": {"identity": identity, "scope": {"project": named}}}).encode()
    request = urllib.request.Request(f"{url}/auth/tokens", data=body, headers={"Content-Type": "application/json"})
    with OPENER.open(request, timeout=20) as answer:
        catalogue = json.load(answer)["token"]["catalog"]
        endpoints = next(service["endpoints"] for service in catalogue if service["type"] == "object-store")
        return next(e["url"] for e in endpoints if e["region_id"] == "RegionOne"), answer.headers["X-Subject-Token"]


def main(url: str, user: str, container: str) -> None:
    key = sys.stdin.readline().strip()
    storage, token = (log_in_to_keystone if url.endswith("/v3") else log_in)(url, user, key)
    create = urllib.request.Request(f"{storage}/{container}", method="PUT", headers={"X-Auth-Token": token, "Content-Length": "0"})
    OPENER.open(create, timeout=20).close()


if __name__ == "__main__":
    main(*sys.argv[1:])
