"""The cloud of `mini up openstack` as a tenant and as a guest see it: for scripts, from Debian's Python packages alone."""
import base64
import json
import os
import shlex
import subprocess
import time

import keystone_seed as keystone

HERE = os.path.dirname(os.path.abspath(__file__))


def mini_env() -> None:
    for line in subprocess.run([f"{HERE}/../mini", "env"], check=True, capture_output=True, text=True).stdout.splitlines():
        name, _, value = shlex.split(line)[1].partition("=")
        os.environ[name] = value


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{shlex.join(command)}: {done.stderr.strip()}")
    return done.stdout


def wait_for(what: str, get, is_it, seconds: int = 90):
    """What `get` gives once `is_it` holds of it."""
    end = time.monotonic() + seconds
    while not is_it(value := get()):
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within {seconds} s, but {value}")
        time.sleep(0.3)
    return value


class Tenant:
    def __init__(self, letter: str):
        self.name = os.environ[f"RBDBACKUP_TEST_TENANT_{letter}_USER"]
        url, password = os.environ["OS_AUTH_URL"], os.environ[f"RBDBACKUP_TEST_TENANT_{letter}_PASSWORD"]
        answer, self.token = keystone.log_in(url, self.name, password, self.name)
        self.nova = os.environ["RBDBACKUP_TEST_NOVA_URL"]
        self.project = answer["token"]["project"]["id"]
        self.cinder = f"{os.environ['RBDBACKUP_TEST_CINDER_URL']}/{answer['token']['project']['id']}"
        self.glance = f"{os.environ['RBDBACKUP_TEST_GLANCE_URL']}/v2"

    def get(self, url: str) -> dict:
        """The one object in the answer; empty if there is none."""
        answer = keystone.call("GET", url, self.token, fine=(404,))[0]
        return next(iter(answer.values()), {})

    def post(self, url: str, body: dict) -> dict:
        return keystone.call("POST", url, self.token, body)[0]

    def delete(self, url: str) -> None:
        keystone.call("DELETE", url, self.token, fine=(404,))

    def boot(self, name: str) -> str:
        image = next(i["id"] for i in self.get_list(f"{self.glance}/images", "images") if i["name"] == "mini")
        flavor = next(f["id"] for f in self.get_list(f"{self.nova}/flavors", "flavors") if f["name"] == "mini")
        server = {"name": name, "imageRef": image, "flavorRef": flavor, "metadata": {"backup_policy": "daily"}}
        return self.post(f"{self.nova}/servers", {"server": server})["server"]["id"]

    def get_list(self, url: str, kind: str) -> list[dict]:
        return keystone.call("GET", url, self.token)[0][kind]


class Guest:
    def __init__(self, domain: str):
        self.domain = domain

    def ask(self, command: str, **arguments) -> object:
        text = json.dumps({"execute": command, "arguments": arguments})
        uri = os.environ["RBDBACKUP_TEST_LIBVIRT_URI"]
        done = subprocess.run(["virsh", "-c", uri, "qemu-agent-command", self.domain, text], capture_output=True, text=True)
        return json.loads(done.stdout)["return"] if done.returncode == 0 else None

    def run(self, script: str) -> str:
        pid = self.ask("guest-exec", path="sh", arg=["-ec", script], **{"capture-output": True})["pid"]
        done = wait_for(f"the guest runs {script}", lambda: self.ask("guest-exec-status", pid=pid), lambda s: s and s["exited"])
        output = "".join(base64.b64decode(done.get(stream, "")).decode() for stream in ("out-data", "err-data"))
        if done["exitcode"] != 0:
            raise SystemExit(f"the guest could not run {script}: {output}")
        return output

    def mounted(self) -> list[str]:
        """The disks that are mounted. Their folders below /mnt are there before that."""
        return sorted(line.split()[1].removeprefix("/mnt/") for line in self.run("cat /proc/mounts").splitlines() if " /mnt/" in line)


def images(pool: str) -> set[str]:
    return set(run("rbd", "-p", pool, "ls").split())


def service_role(project: str, grant: bool) -> None:
    """What the administrator types: openstack role add (or remove) --user … --project PROJECT member; for the worker's user."""
    url = os.environ["OS_AUTH_URL"]
    token = keystone.log_in(url, os.environ["OS_USERNAME"], os.environ["OS_PASSWORD"], os.environ["OS_PROJECT_NAME"])[1]
    admin = keystone.Admin(url, token)
    user = admin.find_or_make("user", f"name={os.environ['RBDBACKUP_TEST_SERVICE_USER']}", {})
    role = admin.find_or_make("role", "name=member", {"name": "member"})
    keystone.call("PUT" if grant else "DELETE", f"{url}/projects/{project}/users/{user}/roles/{role}", token, fine=(404,))
