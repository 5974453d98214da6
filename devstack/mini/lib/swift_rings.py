"""Makes the rings of a Swift of one machine: swift_rings.py FOLDER ACCOUNT-PORT CONTAINER-PORT OBJECT-PORT. Three devices, three replicas."""
import os
import sys

from swift.common.ring import RingBuilder

DEVICES = 3


def main(folder: str, *ports: str) -> None:
    for name, port in zip(("account", "container", "object"), ports):
        builder = RingBuilder(part_power=4, replicas=DEVICES, min_part_hours=0)
        for number in range(1, DEVICES + 1):
            address = {"ip": "127.0.0.1", "port": int(port), "replication_ip": "127.0.0.1", "replication_port": int(port)}
            builder.add_dev({"region": 1, "zone": number, "device": f"d{number}", "weight": 1.0, "meta": "", **address})
        builder.rebalance()
        path = os.path.join(folder, f"{name}.ring.gz")
        builder.get_ring().save(path + ".new")
        os.rename(path + ".new", path)


if __name__ == "__main__":
    main(*sys.argv[1:])
