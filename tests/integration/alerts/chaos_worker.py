"""A worker of the outbox that is born again each time somebody kills it.

Arguments: database URL, address of the API, name. It says the process of each life on a line of
its own; the imports are made once, so that a new life begins within milliseconds.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from alerts.channels.slack import SlackChannel, make_client
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED
from watchkeeper.database import make_engine


def main() -> None:
    url, base_url, name = sys.argv[1:]
    nursery = os.getpid()
    life = 0
    while True:
        life += 1
        born = os.fork()
        if born == 0:
            work(url, base_url, f"{name}.{life}", nursery)
        sys.stdout.write(f"{born}\n")
        sys.stdout.flush()
        _, status = os.waitpid(born, 0)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            sys.exit(f"{name} ended by itself: {status}")


def work(url: str, base_url: str, name: str, nursery: int) -> None:
    channel = SlackChannel(make_client("xoxb-test", base_url=base_url, timeout=1))
    # A tenth of the real times, so that a minute holds ten.
    how = Delivering(limits=UNLIMITED, look_after=0.2, pause=0.1, call=1.0, lease=3.0)
    deliverer = Deliverer(make_engine(url), {"slack": channel}, owner=name, how=how)
    while os.getppid() == nursery:
        if not deliverer.run_once():
            time.sleep(0.02)
    os._exit(0)


if __name__ == "__main__":
    main()
