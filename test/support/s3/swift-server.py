"""One server of a Swift cluster: swift-server.py FOLDER proxy|account|container|object."""

import sys

from swift.common import utils

folder, kind = sys.argv[1:]
utils.SWIFT_CONF_FILE = f"{folder}/swift.conf"

from swift.common.wsgi import run_wsgi  # noqa: E402  reads SWIFT_CONF_FILE when it is imported

sys.exit(run_wsgi(f"{folder}/{kind}.conf", f"{kind}-server"))
