"""``record``: the signed records of what was removed when a person left (R54)."""

from typing import Annotated

import typer

from service import app as root
from service.cli.operator import on_store
from service.cli.output import (
    AfterOption,
    AsJson,
    LimitOption,
    exit_failed,
    exit_wrong_usage,
    print_json,
    print_line,
    read_file,
    settings_for,
)
from service.integrations.leavers.records import LeaverRecords
from service.integrations.leavers.signing import NotGenuine, verified
from service.web.schemas import page_form, record_form

app = typer.Typer(help="Signed records of what was removed when a person left.", no_args_is_help=True)


@app.command("list")
def list_records(
    *,
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="Of this tenant alone.")] = None,
    after: AfterOption = None,
    limit: LimitOption = 50,
    as_json: AsJson = False,
) -> None:
    """Who left, newest first."""
    page = on_store("record", lambda store: LeaverRecords(store).listed(tenant, after=after, limit=limit))
    if as_json:
        print_json(page_form(page, record_form))
        return
    for one in page.rows:
        state = "signed" if one.document else "under way"
        print_line(f"{one.id}  {state:<9}  {one.choice:<6}  {one.tenant_id}  {one.user_id}  {one.said_by}")
    if page.following:
        print_line(f"more: --after {page.following}")


@app.command()
def show(record_id: Annotated[str, typer.Argument(metavar="ID", help="As list shows it.")]) -> None:
    """The signed record, as ``record verify`` reads it; 1 while some of it is still under way."""
    record = on_store("record", lambda store: LeaverRecords(store).shown(None, record_id))
    if record.document is None:
        exit_failed("some of it is still under way; the record is signed when all of it is done")
    print_json(record.document)


@app.command("keys")
def show_keys(as_json: AsJson = False) -> None:
    """The public keys by which records are checked, newest first; each one for each of ENCRYPTION_KEYS."""
    keys = _known_keys()
    if as_json:
        print_json({"keys": list(keys)})
        return
    for key in keys:
        print_line(key)


@app.command()
def verify(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A signed record; - is standard input.")],
    key: Annotated[
        list[str] | None, typer.Option(help="A public key to trust, in place of those that are known here.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Whether a record says just what this service signed; 1 if not. With --key it needs no settings."""
    trusted = key or _known_keys()
    try:
        record = verified(read_file(file), trusted)
    except NotGenuine as reason:
        exit_failed(f"not genuine: {reason}")
    if as_json:
        print_json(record)
        return
    print_line(
        f"genuine: {record['user_id']} of {record['tenant_id']} left {record['left_at']}, "
        f"recorded {record['recorded_at']}"
    )
    for one in record["integrations"]:
        told = f"{one['copies_there']} copies were there, {one['copies_left']} are left"
        ended = f"authorisation {one['authorisation'].replace('_', ' ')}"
        print_line(f"{one['integration_id']}  {one['provider']}  {told}; {ended}")


def _known_keys() -> list[str]:
    settings = settings_for("record")
    if not settings.encryption_keys:
        exit_wrong_usage("CALENDAR_SYNC_ENCRYPTION_KEYS or --key is needed: by which key is it checked?")
    return list(root.record_signer(settings).public_keys)
