"""People as an administrator names them: a pasted list, a line for each, of user id and e-mail address."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts.limits import LONGEST_NAME
from service.integrations.refusals import FieldError, Invalid

MOST_GIVEN = 500
"""People whom one list names."""
LONGEST_LIST = 64 * 1024
"""Characters of a pasted list."""
LONGEST_EMAIL = 254
NO_USER_ID = "must begin with a user id"
NO_EMAIL = "must end with an e-mail address"
SAME_PERSON = "names a person who is in the list already"
SAME_MAILBOX = "names a mailbox that is in the list already"
OWN_USER_ID = "names yourself with a mailbox that Vorex does not say is yours"
OTHER_ADDRESS = "names somebody of whom Vorex says that another mailbox is theirs"
NOBODY_NAMED = "must name at least one person"
TOO_MANY_NAMED = f"must name at most {MOST_GIVEN} people at once"
LIST_TOO_LONG = f"must have at most {LONGEST_LIST} characters"
_EMAIL = re.compile(r"[^\s@,;<>\"]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_BETWEEN = re.compile(r"\s*[,;\t]\s*|\s+")


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonGiven:
    """A person of the tenant, and the mailbox that is theirs."""

    user_id: str
    email: str
    line: int
    """Where the list names them."""


def people_of(text: str, ticked: Mapping[str, str] | None = None) -> Sequence[PersonGiven]:
    """The people of a pasted list; empty lines are passed over. Raises Invalid naming the lines.

    ``ticked``: others by their user ids, each with an address; they are counted behind the lines of the list.
    """
    if len(text) > LONGEST_LIST:
        raise Invalid.one("people", LIST_TOO_LONG)
    all_lines = text.splitlines()
    lines = [(number, line.strip()) for number, line in enumerate(all_lines, 1) if line.strip()]
    beside = enumerate((ticked or {}).items(), len(all_lines) + 1)
    pasted = [(number, *_parts(line)) for number, line in lines]
    return checked_people([*pasted, *((number, user_id, email) for number, (user_id, email) in beside)])


def checked_people(given: Sequence[tuple[int, str, str]]) -> Sequence[PersonGiven]:
    """Line, user id and address of each, checked. Raises Invalid."""
    if not given:
        raise Invalid.one("people", NOBODY_NAMED)
    if len(given) > MOST_GIVEN:
        raise Invalid.one("people", TOO_MANY_NAMED)
    if errors := list(_errors(given)):
        raise Invalid(errors)
    return [PersonGiven(user_id=user_id, email=email.lower(), line=line) for line, user_id, email in given]


def broken_lines(lines: Iterable[tuple[int, str]]) -> Invalid:
    """What is refused of these lines, each with the rule that it breaks."""
    return Invalid([_error(line, rule) for line, rule in lines])


def _parts(line: str) -> tuple[str, str]:
    """The user id, and behind the last separator the address."""
    parts = [part for part in _BETWEEN.split(line) if part]
    return (" ".join(parts[:-1]), parts[-1]) if len(parts) > 1 else (line, "")


def _errors(given: Sequence[tuple[int, str, str]]) -> Iterator[FieldError]:
    users: set[str] = set()
    mailboxes: set[str] = set()
    for number, user_id, email in given:
        if rule := _broken(user_id, email, users, mailboxes):
            yield _error(number, rule)
        users.add(user_id)
        mailboxes.add(email.lower())


def _error(number: int, rule: str) -> FieldError:
    field = f"people[{number}]"
    return FieldError(field=field, rule=rule, message=f"{field}: {rule}")


def _broken(user_id: str, email: str, users: set[str], mailboxes: set[str]) -> str | None:
    if not user_id or len(user_id) > LONGEST_NAME or not user_id.isprintable():
        return NO_USER_ID
    if (
        len(email) > LONGEST_EMAIL
        or not (email.isascii() and email.isprintable())
        or not _EMAIL.fullmatch(email)
    ):
        return NO_EMAIL
    if user_id in users:
        return SAME_PERSON
    return SAME_MAILBOX if email.lower() in mailboxes else None
