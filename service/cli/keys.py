"""``keys``: under which key the stored tokens lie, and how an older key comes to be needed no more."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Annotated, TypeVar

import typer

from service import app as root
from service.cli.output import (
    EXIT_FAILED,
    AsJson,
    exit_failed,
    print_json,
    print_line,
    run_work,
    settings_for,
)
from service.integrations.leavers.records import LeaverRecords
from service.store.integrations.sealed_tokens import KeyCounts, SealedTokens

app = typer.Typer(
    help="The keys of ENCRYPTION_KEYS, and the tokens that lie under them.", no_args_is_help=True
)

_T = TypeVar("_T")


@app.command()
def status(as_json: AsJson = False) -> None:
    """How many accounts' tokens lie under the newest key, an older one, and none; 1 if under none."""
    _tell(_on_tokens(SealedTokens.counted), as_json=as_json)


@app.command()
def rotate(as_json: AsJson = False) -> None:
    """Encrypt with the newest key what lies under an older one; 1 if something lies under none.

    Records of removal that an older one signed are signed with the newest (R54).
    """
    settings = settings_for("keys")

    async def work() -> KeyCounts:
        async with AsyncExitStack() as stack:
            store = await root.open_store(settings, stack)
            tokens = root.sealed_tokens(settings, store)
            await tokens.rotate()
            await LeaverRecords(store, root.record_signer(settings)).sign_anew()
            return await tokens.counted()

    _tell(run_work(work), as_json=as_json)


@app.command("give-up")
def give_up(
    expect: Annotated[int | None, typer.Option(min=0, help="How many were counted.")] = None,
    as_json: AsJson = False,
) -> None:
    """Erase the tokens that no key opens, where the key is lost for good: their owners connect again.

    Without --expect they are counted, and nothing is done.
    """

    async def work(tokens: SealedTokens) -> tuple[int, bool]:
        count = (await tokens.counted()).unopened
        if expect is None or count != expect:
            return count, False
        return await tokens.give_up(), True

    count, done = _on_tokens(work)
    if expect is not None and not done:
        exit_failed(f"{count:,} were counted, {expect:,} were expected; nothing is done")
    if as_json:
        print_json({"accounts": count, "dry_run": not done})
    elif done:
        print_line(f"the tokens of {count:,} accounts are erased; their owners are asked to connect again")
    else:
        print_line(f"the tokens of {count:,} accounts would be erased; to do it: --expect {count}")


def _tell(counts: KeyCounts, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(counts))
    else:
        print_line(f"under the newest key: {counts.newest:,}")
        print_line(f"under an older key: {counts.older:,}" + _remedy(counts.older, "keys rotate"))
        print_line(f"under none of them: {counts.unopened:,}" + _remedy(counts.unopened, "keys give-up"))
    if counts.unopened:
        raise typer.Exit(EXIT_FAILED)


def _remedy(count: int, command: str) -> str:
    if not count:
        return ""
    lost = "; give the key back to ENCRYPTION_KEYS, or if it is lost" if command == "keys give-up" else ""
    return f"{lost}; run: calendar-sync {command}"


def _on_tokens(verb: Callable[[SealedTokens], Awaitable[_T]]) -> _T:
    settings = settings_for("keys")

    async def work() -> _T:
        async with AsyncExitStack() as stack:
            return await verb(root.sealed_tokens(settings, await root.open_store(settings, stack)))

    return run_work(work)
