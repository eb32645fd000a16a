"""Trials of grants, accounts, channels and refusals (contracts/CRONOFY.md)."""

from contextlib import suppress
from http import HTTPStatus
from typing import Any

from contracts.cronofy_accounts import UserInfo
from contracts.errors import GrantRefused, Malformed, SyncError
from service.cronofy.live.calendar import TrialCalendar
from service.cronofy.live.trial import Seen, Trial, as_assumed, different, judged, told, unsettled

LONGEST_CALLBACK = 128
_NO_TOKEN = "calendar-sync-doctor"  # noqa: S105 -- refused by Cronofy, and that is the answer
PERMISSION_LEVELS = frozenset({"sandbox", "unrestricted"})


async def replaced_token(calendar: TrialCalendar) -> Seen:
    old = calendar.held.grant.refresh_token
    if old is None:
        return unsettled("an application calendar has no refresh token")
    first = await calendar.oauth.refresh(old)
    if first.refresh_token in {None, old}:
        return as_assumed("a refresh does not replace it")
    try:
        await calendar.oauth.refresh(old)
    except GrantRefused:
        return different("a replaced token is refused at once")
    return as_assumed("a replaced token still works")


async def refusal(calendar: TrialCalendar) -> Seen:
    try:
        await calendar.oauth.refresh(_NO_TOKEN)
    except GrantRefused:
        return as_assumed("a token that never was is invalid_grant")
    except SyncError as error:
        return different(f"a token that never was: {error}")
    return different("a token that never was is accepted")


async def profiles(calendar: TrialCalendar) -> Seen:
    try:
        known = UserInfo.parse(await calendar.get("/v1/userinfo")).profiles
    except Malformed as error:
        return different(str(error))
    if not known:
        return different("no profile under the key with a dot")
    fine = all(profile.connected and not profile.initial_sync_required for profile in known)
    said = f"{len(known)} profile, {'connected and read' if fine else 'not connected or not read yet'}"
    return as_assumed(said) if fine else unsettled(said)


async def calendars(calendar: TrialCalendar) -> Seen:
    said = await calendar.get("/v1/calendars")
    count = len(said.get("calendars") or [])
    paged = "pages" in said
    return judged(not paged, f"{count}, {'in' if paged else 'without'} pages")


async def permission_level(calendar: TrialCalendar) -> Seen:
    listed = (await calendar.get("/v1/calendars")).get("calendars") or []
    words = {str(row.get("permission_level")) for row in listed if isinstance(row, dict)}
    odd = words - PERMISSION_LEVELS
    return different("another word than these two") if odd else as_assumed(" and ".join(sorted(words)))


async def channel(calendar: TrialCalendar) -> Seen:
    callback_url = calendar.callback_url(LONGEST_CALLBACK)
    answer, first = await calendar.open_channel(callback_url)
    if answer.status != HTTPStatus.OK or not first:
        return unsettled(f"none could be made at NOTICES_URL: {told(answer)}")
    _, second = await calendar.open_channel(callback_url)
    listed = await calendar.channel_ids()
    closed = await calendar.close_channel(first)
    left = await calendar.channel_ids()
    wrong = {
        "asking twice made two": first != second,
        "it was not listed": first not in listed,
        f"closing it {told(closed)}": not closed.accepted,
        "it is listed although it was closed": first in left,
    }
    said = ", ".join(sentence for sentence, is_so in wrong.items() if is_so)
    return different(said) if said else as_assumed("made, listed and closed; asking twice made one")


async def unknown_calendar(calendar: TrialCalendar) -> Seen:
    answer = await calendar.put("nowhere", calendar_id="cal_doctor_nowhere")
    return judged(answer.status == HTTPStatus.NOT_FOUND, told(answer))


async def no_token(calendar: TrialCalendar) -> Seen:
    status = await calendar.ask_without_token("/v1/userinfo")
    refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return judged(refused, f"answered {status}")


async def second_grant(calendar: TrialCalendar) -> Seen:
    again = await calendar.grant_again()
    if again.sub != calendar.held.grant.sub:
        return different("another sub")
    works = await _opens(calendar)
    return judged(works, f"the same sub, and the earlier token {'works' if works else 'is refused'}")


async def revocation(calendar: TrialCalendar) -> Seen:
    await calendar.oauth.revoke(calendar.held.grant.refresh_token or "")
    works = await _opens(calendar)
    return judged(not works, f"the access token {'still works' if works else 'is refused'}")


async def revoked_again(calendar: TrialCalendar) -> Seen:
    token = calendar.held.grant.refresh_token or ""
    with suppress(GrantRefused):
        await calendar.oauth.revoke(token)
    try:
        await calendar.oauth.revoke(token)
    except SyncError as error:
        return different(str(error))
    return as_assumed("ending what has ended is no error")


async def _opens(calendar: TrialCalendar) -> bool:
    """Whether the access token that is held still opens the account."""
    try:
        return (await _status(calendar)) == HTTPStatus.OK
    except GrantRefused:
        return False


async def _status(calendar: TrialCalendar) -> int:
    answered: tuple[int, Any] = await calendar.ask("GET", "/v1/userinfo")
    return answered[0]


ACCOUNT = (
    Trial("C8", "A refresh token that was replaced works for a while", replaced_token),
    Trial("C9", "invalid_grant is what a lost grant is answered", refusal),
    Trial("C11", "userinfo lists profiles under keys with dots", profiles),
    Trial("C12", "The list of calendars has no pages", calendars),
    Trial("C13", "permission_level is sandbox or unrestricted", permission_level),
    Trial("C40", "A channel of the same address is the same; 128 characters are accepted", channel),
    Trial("C47", "A calendar that is not there is 404", unknown_calendar),
    Trial("C50", "userinfo without a token is answered with a refusal", no_token),
    Trial("C52", "A later grant has the same sub and leaves earlier tokens in force", second_grant),
)
LEAVING = (
    Trial("C53", "Revoking a refresh token ends the whole authorisation", revocation),
    Trial("C10", "Revoking what is gone is no error", revoked_again),
)
"""These end the visit, so they come when everything was cleared away."""
