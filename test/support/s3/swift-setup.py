"""Writes the rings and settings of a Swift cluster of one disk: swift-setup.py FOLDER FIRST-PORT."""

import os
import sys

from swift.common.ring import RingBuilder

folder, port = sys.argv[1], int(sys.argv[2])
os.makedirs(f"{folder}/disks/d", exist_ok=True)


def write(name: str, text: str) -> None:
    with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
        file.write(text)


COMMON = f"""[DEFAULT]
bind_ip = 127.0.0.1
swift_dir = {folder}
user = root
workers = 0
log_udp_host = 127.0.0.1
"""

write(
    "swift.conf",
    "[swift-hash]\nswift_hash_path_suffix = test\n[storage-policy:0]\nname = one\ndefault = yes\n",
)

for offset, kind in enumerate(["account", "container", "object"], 1):
    builder = RingBuilder(4, 1, 0)
    device = {"id": 0, "region": 1, "zone": 1, "device": "d", "weight": 1}
    for prefix in ("", "replication_"):
        device[f"{prefix}ip"] = "127.0.0.1"
        device[f"{prefix}port"] = port + offset
    builder.add_dev(device)
    builder.rebalance()
    builder.get_ring().save(f"{folder}/{kind}.ring.gz")
    write(
        f"{kind}.conf",
        f"""{COMMON}bind_port = {port + offset}
devices = {folder}/disks
mount_check = false
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
""",
    )

write(
    "proxy.conf",
    f"""{COMMON}bind_port = {port}
cert_file = {folder}/certificate.pem
key_file = {folder}/key.pem
[pipeline:main]
pipeline = cache s3api tempauth slo proxy-server
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{port + 4}
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:slo]
use = egg:swift#slo
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
""",
)
