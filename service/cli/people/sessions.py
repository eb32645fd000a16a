"""``sessions``: who is signed in no longer, for operators after a theft (R45)."""

from typing import Annotated

import typer

from service.cli.operator import on_store, operator_name
from service.cli.output import AsJson, exit_wrong_usage, print_json, print_line
from service.integrations.sign_outs import SignedIn, SignOuts

app = typer.Typer(help="Sessions of people who are signed in.", no_args_is_help=True)


@app.callback()
def sessions() -> None:
    """Sessions of people who are signed in."""


@app.command()
def end(
    *,
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="Of one person; with --user.")] = None,
    user: Annotated[str | None, typer.Option(metavar="USER", help="Of one person; with --tenant.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Sign everybody out everywhere, or one person; without --yes they are counted and nothing is done.

    After a stolen SIGN_IN_SECRET: change the secret first, or new sessions are opened with it.
    """
    person = _person(tenant, user)
    if yes:
        count = on_store(
            "sessions", lambda store: SignOuts(store, who=f"operator {operator_name()}").end(person)
        )
    else:
        count = on_store("sessions", lambda store: SignOuts(store, who=operator_name()).count(person))
    if as_json:
        print_json({"sessions": count, "dry_run": not yes})
        return
    counted = f"{count:,} {'session' if count == 1 else 'sessions'}"
    print_line(f"{counted} ended" if yes else f"{counted} would end; to do it: --yes")


def _person(tenant: str | None, user: str | None) -> SignedIn | None:
    """Of whom; half a name is nobody's."""
    if (tenant is None) != (user is None) or "" in {tenant, user}:
        exit_wrong_usage("--tenant and --user: name both for one person, or neither for everybody")
    return None if tenant is None or user is None else (tenant, user)
