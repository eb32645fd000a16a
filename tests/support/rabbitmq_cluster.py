"""Several nodes of an installed rabbitmq-server that are one broker, each to be killed and started again."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.support.rabbitmq import PrivateNode
from tests.support.servers import free_port

CLUSTER_VHOST = "sync"
_EVERYTHING = (".*", ".*", ".*")


class RabbitCluster:
    """Its nodes all run, unless the test has killed one."""

    def __init__(self, scripts: Path, *, size: int = 3) -> None:
        names = [f"calendar-sync-{os.getpid()}-{number}@localhost" for number in range(1, size + 1)]
        cookie, epmd = os.urandom(16).hex(), free_port()
        self.nodes = [
            PrivateNode(scripts, names=names, number=number, cookie=cookie, epmd=epmd)
            for number in range(size)
        ]

    @property
    def ports(self) -> list[int]:
        """Where each of them takes clients."""
        return [node.port for node in self.nodes]

    def start(self) -> None:
        """Return once all have found each other and the virtual host is there."""
        first, *others = self.nodes
        first.start()
        with ThreadPoolExecutor(len(others)) as at_once:
            list(at_once.map(PrivateNode.start, others))
        first.ctl("add_vhost", CLUSTER_VHOST)
        first.ctl("set_permissions", "-p", CLUSTER_VHOST, "guest", *_EVERYTHING)

    def members(self) -> dict[str, int]:
        """Each queue, and how many nodes hold it."""
        told = self.nodes[0].ctl("-p", CLUSTER_VHOST, "list_queues", "name", "members", "--silent")
        rows = (line.split("\t") for line in told.splitlines() if line)
        return {name: len(members.split(",")) for name, members in rows}

    def whole(self) -> bool:
        """Whether each queue could lose one more node."""
        asked = self.nodes[0].ctl("eval", "length(rabbit_quorum_queue:list_with_minimum_quorum()).")
        return asked.strip() == "0"

    def remove(self) -> None:
        for node in reversed(self.nodes):
            node.remove()


@contextmanager
def rabbit_cluster(scripts: Path) -> Iterator[RabbitCluster]:
    """Three nodes, and nothing left of them afterwards."""
    cluster = RabbitCluster(scripts)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()
