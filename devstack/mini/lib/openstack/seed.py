"""Makes what a cloud has beside its services, and asks whether it is ready:

    seed.py KEYSTONE NOVA CINDER GLANCE PLACEMENT NEUTRON catalogue         users, roles, projects, endpoints in Keystone
    seed.py KEYSTONE NOVA CINDER GLANCE PLACEMENT NEUTRON ready SINCE NAME...
                                                                            ends with 1 and says what is missing, unless these reported since then
    seed.py KEYSTONE NOVA CINDER GLANCE PLACEMENT NEUTRON cloud IMAGE-FILE  flavors, quotas, and the guest's image

The six are ports on loopback. Standard input has the passwords of the administrator, the services and the two tenants, a line each. What is
there stays, so each may be run again.
"""
import datetime
import os
import sys
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import keystone_seed as keystone  # noqa: E402

SERVICES = ("nova", "cinder", "glance", "placement", "neutron", "rbdbackup-service")
REPORTING = {"nova-conductor", "nova-scheduler", "nova-compute", "cinder-scheduler", "cinder-volume", "cinder-backup"}
IMAGE = {"name": "mini", "disk_format": "raw", "container_format": "bare", "visibility": "public", "min_disk": 1, "os_type": "linux",
         "hw_disk_bus": "virtio", "hw_qemu_guest_agent": "yes"}
# name, memory in MiB, root disk in GiB, ephemeral disk in GiB, swap in MiB
FLAVORS = (("mini", 192, 1, 0, 0), ("mini.large", 256, 2, 0, 0), ("mini.disks", 192, 1, 1, 64))


class Cloud:
    def __init__(self, ports: list[str], passwords: list[str]):
        self.urls = dict(zip(("keystone", "nova", "cinder", "glance", "placement", "neutron"), (f"http://127.0.0.1:{port}" for port in ports)))
        self.urls["keystone"] += "/v3"
        self.admin_password, self.service_password, *self.tenant_passwords = passwords
        self.token = keystone.log_in(self.urls["keystone"], "admin", self.admin_password, "admin")[1]
        self.admin = keystone.Admin(self.urls["keystone"], self.token)

    def get(self, service: str, path: str) -> dict:
        return keystone.call("GET", self.urls[service] + path, self.token)[0]

    def post(self, service: str, path: str, body: object) -> dict:
        return keystone.call("POST", self.urls[service] + path, self.token, body)[0]

    def project(self) -> str:
        """The administrator's, which Cinder wants in a URL."""
        return self.get("keystone", "/projects?name=admin")["projects"][0]["id"]


def make_catalogue(cloud: Cloud) -> None:
    roles = {name: cloud.admin.find_or_make("role", f"name={name}", {"name": name}) for name in ("admin", "member", "reader", "service")}
    for name in SERVICES:
        add_user(cloud, name, "service", cloud.service_password, (roles["admin"], roles["service"]))
    for name, password in zip(("tenant-a", "tenant-b"), cloud.tenant_passwords):
        add_user(cloud, name, name, password, (roles["member"], roles["reader"]))
    urls = cloud.urls
    for name, kind, url in (("nova", "compute", urls["nova"] + "/v2.1"), ("cinderv3", "volumev3", urls["cinder"] + "/v3/%(project_id)s"),
                            ("cinder", "block-storage", urls["cinder"] + "/v3/%(project_id)s"), ("glance", "image", urls["glance"]),
                            ("placement", "placement", urls["placement"]), ("neutron", "network", urls["neutron"])):
        service = cloud.admin.find_or_make("service", f"type={kind}", {"type": kind, "name": name})
        cloud.admin.add_endpoints(service, "RegionOne", url)


def add_user(cloud: Cloud, name: str, project_name: str, password: str, roles: tuple) -> None:
    project = cloud.admin.find_or_make("project", f"name={project_name}", {"name": project_name, "domain_id": "default"})
    user = cloud.admin.find_or_make("user", f"name={name}", {"name": name, "domain_id": "default", "password": password})
    for role in roles:
        cloud.admin.grant(project, user, role)


def not_ready(cloud: Cloud, since: float, names: list[str]) -> list[str]:
    """What does not work yet. A service is up once it has written so into its database after `since`; the APIs do not write."""
    cloud.get("glance", "/v2/images?limit=1")
    cloud.get("placement", "/")
    compute = cloud.get("nova", "/v2.1/os-services")["services"]
    volume = cloud.get("cinder", f"/v3/{cloud.project()}/os-services")["services"]
    up = {service["binary"] for service in compute + volume if service["state"] == "up" and seconds(service["updated_at"]) >= since}
    missing = sorted(REPORTING.intersection(names) - up)
    if not cloud.get("nova", "/v2.1/os-hypervisors")["hypervisors"]:
        missing.append("the hypervisor's place in a cell")
    if not cloud.get("cinder", f"/v3/{cloud.project()}/scheduler-stats/get_pools")["pools"]:
        missing.append("the pool that Cinder's scheduler is to know")
    return missing


def seconds(time: str | None) -> float:
    return datetime.datetime.fromisoformat(time).replace(tzinfo=datetime.timezone.utc).timestamp() if time else 0


def make_cloud(cloud: Cloud, image: str) -> None:
    have = {flavor["name"] for flavor in cloud.get("nova", "/v2.1/flavors")["flavors"]}
    for name, memory, disk, ephemeral, swap in FLAVORS:
        if name not in have:
            flavor = {"name": name, "ram": memory, "disk": disk, "OS-FLV-EXT-DATA:ephemeral": ephemeral, "swap": swap, "vcpus": 1}
            cloud.post("nova", "/v2.1/flavors", {"flavor": flavor})
    make_image(cloud, image)
    # Ten volumes, as it is, are not enough for tests at the same time.
    for service, path, kind, quotas in (("cinder", f"/v3/{cloud.project()}", "quota_class_set", {"volumes": 100, "snapshots": 100, "gigabytes": 10000}),
                                        ("nova", "/v2.1", "quota_class_set", {"instances": 50, "cores": 100, "ram": 102400})):
        keystone.call("PUT", f"{cloud.urls[service]}{path}/os-quota-class-sets/default", cloud.token, {kind: quotas})


def make_image(cloud: Cloud, file: str) -> None:
    """One that was left half by a run that was killed is made anew."""
    for found in cloud.get("glance", f"/v2/images?name={IMAGE['name']}&visibility=public")["images"]:
        if found["status"] == "active":
            return
        keystone.call("DELETE", f"{cloud.urls['glance']}/v2/images/{found['id']}", cloud.token)
    made = cloud.post("glance", "/v2/images", IMAGE)
    with open(file, "rb") as data:
        upload = urllib.request.Request(f"{cloud.urls['glance']}/v2/images/{made['id']}/file", method="PUT", data=data)
        upload.add_header("Content-Type", "application/octet-stream")
        upload.add_header("Content-Length", str(os.path.getsize(file)))
        upload.add_header("X-Auth-Token", cloud.token)
        keystone.OPENER.open(upload, timeout=120).close()


def main(*arguments: str) -> None:
    cloud = Cloud(list(arguments[:6]), sys.stdin.read().split())
    match arguments[6:]:
        case ["catalogue"]:
            make_catalogue(cloud)
        case ["ready", since, *names]:
            missing = not_ready(cloud, float(since), names)
            if missing:
                sys.exit("waiting for " + ", ".join(missing))
        case ["cloud", image]:
            make_cloud(cloud, image)


if __name__ == "__main__":
    main(*sys.argv[1:])
