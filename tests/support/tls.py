"""An authority of one's own, what it signs, and servers that speak TLS with it."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.rabbitmq import PrivateNode, installed_scripts
from tests.support.servers import Watcher, absent, end, free_port

NAMED = "localhost"
"""The one host that the certificates of servers are for; its address is not named in them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificates:
    """What an authority signed for a server, as files."""

    authority: Path
    certificate: Path
    key: Path


def sign(folder: Path) -> Certificates:
    """A new authority, and a server's certificate of it for NAMED alone."""
    names = folder / "names"
    names.write_text(f"subjectAltName=DNS:{NAMED}\n")
    found = Certificates(
        authority=folder / "ca.pem", certificate=folder / "server.pem", key=folder / "server.key"
    )
    own, asked = folder / "ca.key", folder / "asked.csr"
    pair = ("-newkey", "rsa:2048", "-nodes", "-days", "2")
    _openssl("req", "-x509", *pair, "-subj", "/CN=Own Authority", "-keyout", own, "-out", found.authority)
    _openssl("req", *pair[:-2], "-subj", f"/CN={NAMED}", "-keyout", found.key, "-out", asked)
    signing = ("-CA", found.authority, "-CAkey", own, "-CAcreateserial", "-days", "2", "-extfile", names)
    _openssl("x509", "-req", "-in", asked, *signing, "-out", found.certificate)
    return found


def _openssl(*words: str | Path) -> None:
    if shutil.which("openssl") is None:
        absent("OpenSSL", "install the package openssl")
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


@contextmanager
def rabbitmq_with_tls(signed: Certificates) -> Iterator[str]:
    """Host and port at which a node of its own takes TLS and nothing else."""
    scripts = installed_scripts()
    if scripts is None:
        absent("an installed RabbitMQ", "install rabbitmq-server: a listener for TLS needs files of its own")
    port = free_port()
    node = PrivateNode(
        scripts,
        names=[f"calendar-sync-tls-{os.getpid()}@localhost"],
        listeners=(
            f"listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = {signed.authority}\n"
            f"ssl_options.certfile = {signed.certificate}\nssl_options.keyfile = {signed.key}\n"
        ),
    )
    try:
        node.start()
        yield str(port)
    finally:
        node.remove()


@contextmanager
def postgresql_with_tls(signed: Certificates | None) -> Iterator[str]:
    """The port at which a server of its own answers; without certificates it takes no TLS.

    An installed one: the embedded one of other tests is made without TLS.
    """
    programs = _installed_postgresql()
    owner = "postgres" if os.geteuid() == 0 else None  # root may not run it
    folder = Path(tempfile.mkdtemp(prefix="calendar-sync-tls-"))
    port, key = free_port(), folder / "server.key"
    options = ["-h", "127.0.0.1", "-p", str(port), "-k", str(folder)]
    if signed is not None:
        shutil.copyfile(signed.key, key)
        key.chmod(0o600)
        shutil.copyfile(signed.certificate, folder / "server.pem")
        options += ["-c", "ssl=on", "-c", f"ssl_key_file={key}", "-c", f"ssl_cert_file={folder}/server.pem"]
    if owner:
        for each in (folder, *folder.iterdir()):
            shutil.chown(each, owner)
    data = str(folder / "data")
    made = [str(programs / "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "--no-sync"]
    subprocess.run(made, user=owner, cwd=folder, check=True, capture_output=True)
    server = subprocess.Popen(
        [str(programs / "postgres"), "-D", data, *options],
        user=owner,
        cwd=folder,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    watcher = Watcher(folder, [server.pid])
    try:
        _await_ready(programs, port, server)
        yield str(port)
    finally:
        end(server)
        watcher.dismiss()
        shutil.rmtree(folder, ignore_errors=True)


def _installed_postgresql() -> Path:
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), Path(shutil.which("postgres") or "/").parent]
    needed = ("initdb", "pg_isready", "postgres")
    found = [folder for folder in folders if all((folder / name).exists() for name in needed)]
    if not found:
        absent("a PostgreSQL that speaks TLS", "install the package postgresql")
    return found[0]


def _await_ready(programs: Path, port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    asked = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(asked, check=False).returncode:
        if server.poll() is not None or time.monotonic() > deadline:
            raise TimeoutError("PostgreSQL did not start")
        time.sleep(0.05)
