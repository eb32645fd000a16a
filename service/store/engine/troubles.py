"""What ails a database, in words of our own, and what to do about it."""

import ssl
from collections.abc import Mapping
from pathlib import Path

OTHER_HOST = frozenset({62, 64})
"""OpenSSL's numbers for a certificate of another name, and of another address."""
NO_AUTHORITY = "root certificate file"
"""The driver's words where it looked for one in its own places."""
DATABASE_SETTING = "CALENDAR_SYNC_DATABASE_URL"
DatabaseTrouble = tuple[str, str | None]
"""What is wrong, and the remedy where there is one."""

BY_SQLSTATE: Mapping[str, DatabaseTrouble] = {
    "28P01": ("the server refuses this password", f"correct user and password in {DATABASE_SETTING}"),
    "28000": (
        "the server does not let this user in",
        f"make the role, or correct the user in {DATABASE_SETTING}; see the server's pg_hba.conf",
    ),
    "3D000": (
        "the server has no such database",
        f"make it with createdb, or correct the end of {DATABASE_SETTING}",
    ),
    "42501": ("the user may not do this there", "grant it to the role, or make the role the schema's owner"),
    "53300": (
        "the server takes no more connections",
        "lower CALENDAR_SYNC_DATABASE_POOL_SIZE, or raise its max_connections",
    ),
    "57P03": ("the server is starting or stopping", "wait until it is up"),
}
BY_SQLITE_NAME: Mapping[str, DatabaseTrouble] = {
    "SQLITE_NOTADB": ("the file is no SQLite database", f"correct the path in {DATABASE_SETTING}"),
    "SQLITE_CORRUPT": ("the file is damaged; bring back a copy of it", None),
    "SQLITE_CANTOPEN": (
        "the file cannot be opened",
        f"correct the path in {DATABASE_SETTING}; its folder must be there and writable",
    ),
    "SQLITE_READONLY": ("the file cannot be written", "give it, and its folder, to the service's user"),
}
"""By the beginnings of SQLite's names: they go on with where it was found."""


def database_trouble(error: BaseException) -> DatabaseTrouble | None:
    """None where the error's kind says no more than its name."""
    cause = getattr(error, "orig", None) or error
    name: str = getattr(cause, "sqlite_errorname", "")
    for beginning, trouble in BY_SQLITE_NAME.items():
        if name.startswith(beginning):
            return trouble
    if NO_AUTHORITY in str(cause):
        return (
            "there is no authority by which its certificate could be trusted",
            f"name it: {DATABASE_SETTING}=…?sslrootcert=/path/ca.pem, or sslrootcert=system",
        )
    state = getattr(cause, "sqlstate", None)
    return BY_SQLSTATE.get(state) if isinstance(state, str) else None


def connection_trouble(error: OSError) -> DatabaseTrouble:
    """Why no connection comes about, where it is more than that nobody answers."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in OTHER_HOST:
            return (
                f"the server's certificate is for another host ({type(error).__name__})",
                f"name in {DATABASE_SETTING} the host that the certificate names",
            )
        return (
            f"the server's certificate is not trusted ({type(error).__name__})",
            f"name the authority that signed it: {DATABASE_SETTING}=…?sslrootcert=/path/ca.pem",
        )
    if "SSL" in str(error):
        return (
            f"the server takes no TLS ({type(error).__name__})",
            f"set ssl = on there, or leave ssl and sslrootcert out of {DATABASE_SETTING}",
        )
    return type(error).__name__, None


def missing_file(path: str) -> DatabaseTrouble | None:
    """Whether there is no such file, which a look must not make."""
    if path.startswith((":", "file:")) or Path(path).is_file():
        return None
    if not Path(path).parent.is_dir():
        return f"there is no folder {Path(path).parent}", f"correct the path in {DATABASE_SETTING}"
    return f"there is no file {path}", "run: calendar-sync migrate"
