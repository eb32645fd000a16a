"""The official Python client works against the simulator unchanged (issue 2, point 9)."""

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from urllib.parse import parse_qs, urlsplit

import pycronofy
import pytest
import requests
from pycronofy.batch import BatchBuilder
from pycronofy.exceptions import PyCronofyPartialSuccessError, PyCronofyRequestError

from service.demo.simulator.server import uvicorn_server
from service.demo.simulator.world import SimulatedWorld

SECRET = "client-secret"
SCOPE = "read_account list_calendars read_events create_event delete_event create_calendar"
BACK = "http://application.test/back"
TOMORROW = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=1)


@pytest.fixture(scope="module")
def world() -> SimulatedWorld:
    """Everything that is written is there at once: this file is about forms, not about time."""
    made = SimulatedWorld(client_id="client", client_secret=SECRET)
    made.faults.change(apply_delay=0, read_lag=0, notice_delay=0, page_size=2)
    return made


@pytest.fixture(scope="module")
def address(world: SimulatedWorld) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        served = uvicorn_server(world)
        thread = threading.Thread(target=served.run, args=([listening],))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        served.should_exit = True
        thread.join(60)


def connect(address: str, email: str) -> pycronofy.Client:
    """As an application does: the address to go to, the way back, the exchange of the code."""
    client = pycronofy.Client(client_id="client", client_secret=SECRET)
    client.request_handler.base_url = address
    client.app_base_url = address
    requests.post(f"{address}/_control/accounts", json={"email": email, "calendars": ["Work", "Home"]})
    link = client.user_auth_link(redirect_uri=BACK, scope=SCOPE, state="st-1", avoid_linking=True)
    back: str = requests.get(f"{link}&_approve={email}", allow_redirects=False).headers["Location"]
    told = parse_qs(urlsplit(back).query)
    assert back.startswith(BACK)
    assert told["state"] == ["st-1"]
    client.get_authorization_from_code(told["code"][0], redirect_uri=BACK)
    return client


@pytest.fixture
def client(address: str, request: pytest.FixtureRequest) -> pycronofy.Client:
    return connect(address, f"{request.node.name.lower()}@example.test")


@pytest.fixture
def calendar(client: pycronofy.Client) -> str:
    return str(client.list_calendars()[0]["calendar_id"])


def an_event(**changes: object) -> dict[str, object]:
    return {
        "event_id": "e-1",
        "summary": "Replace firewall",
        "description": "Bring the spare.",
        "start": TOMORROW,
        "end": TOMORROW + timedelta(hours=2),
        "tzid": "Europe/London",
        **changes,
    }


def test_the_client_is_let_in_and_sees_who_it_is_for(client: pycronofy.Client) -> None:
    """Authorize address, code exchange, account, userinfo, profiles."""
    assert client.account()["account_id"].startswith("acc_")
    assert client.userinfo()["cronofy.data"]["authorization"]["status"] == "active"
    assert client.list_profiles()[0]["profile_connected"] is True


def test_a_code_is_taken_once(address: str, client: pycronofy.Client) -> None:
    """A second exchange is invalid_grant."""
    body = {"client_id": "client", "client_secret": SECRET, "grant_type": "authorization_code"}
    answer = requests.post(f"{address}/oauth/token", json={**body, "code": "used", "redirect_uri": BACK})

    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})


def test_refreshing_gives_a_new_access_token(client: pycronofy.Client) -> None:
    """The refresh token rotates and the new access token works."""
    before = client.auth.access_token
    client.refresh_authorization()

    assert client.auth.access_token != before
    assert client.list_calendars()


def test_a_revoked_authorization_is_over(client: pycronofy.Client) -> None:
    """Revoking by the access token ends the refresh token too."""
    refresh_token = client.auth.refresh_token
    client.revoke_authorization()
    client.auth.update(refresh_token=refresh_token)

    with pytest.raises(PyCronofyRequestError) as failed:
        client.refresh_authorization()
    assert failed.value.response.json() == {"error": "invalid_grant"}


def test_calendars_are_listed_and_created(client: pycronofy.Client) -> None:
    """The list of the sheet; creating needs its scope."""
    names = [each["calendar_name"] for each in client.list_calendars()]
    assert names == ["Work", "Home"]

    profile = client.list_profiles()[0]["profile_id"]
    created = client.create_calendar(profile, "Projects")["calendar"]
    assert client.list_calendars()[-1]["calendar_id"] == created["calendar_id"]


def test_an_event_is_written_read_and_deleted(client: pycronofy.Client, calendar: str) -> None:
    """Upsert, read back by event_id, delete."""
    client.upsert_event(calendar, an_event())
    (row,) = client.read_events(calendar_ids=(calendar,)).all()
    assert (row["event_id"], row["summary"]) == ("e-1", "Replace firewall")
    assert row["start"] == TOMORROW.strftime("%Y-%m-%dT%H:%M:%SZ")

    client.delete_event(calendar, "e-1")
    assert client.read_events().all() == []


def test_reads_are_paged_and_iterated(client: pycronofy.Client, calendar: str) -> None:
    """Five events on pages of two, followed by their absolute addresses."""
    for number in range(5):
        client.upsert_event(calendar, an_event(event_id=f"e-{number}"))
    pages = client.read_events()

    assert pages.total == 3
    assert {row["event_id"] for row in pages} == {f"e-{number}" for number in range(5)}


def test_every_include_flag_is_understood(
    client: pycronofy.Client, world: SimulatedWorld, calendar: str
) -> None:
    """include_managed, only_managed, include_deleted, include_moved, include_geo, localized_times."""
    place = {"description": "HQ", "lat": "51.5", "long": "-0.1"}
    client.upsert_event(calendar, an_event(location=place))
    client.upsert_event(calendar, an_event(event_id="e-2"))
    client.delete_event(calendar, "e-2")
    (external,) = world.add_event(calendar, summary="Lunch", start="2027-01-01", end="2027-01-02")
    window = {"from_date": date.today(), "to_date": date.today() + timedelta(days=3)}  # noqa: DTZ011
    world.change_event(calendar, external["event_uid"], start=an_iso(0), end=an_iso(1))
    world.change_event(calendar, external["event_uid"], start=an_iso(900), end=an_iso(901))

    assert len(client.read_events(include_managed=False, **window).all()) == 0
    assert len(client.read_events(include_managed=False, include_moved=True, **window).all()) == 1
    assert [row["event_id"] for row in client.read_events(only_managed=True).all()] == ["e-1"]
    assert len(client.read_events(only_managed=True, include_deleted=True).all()) == 2
    (row,) = client.read_events(only_managed=True, include_geo=True, localized_times=True).all()
    assert row["location"] == place
    assert row["start"]["tzid"] == "Europe/London"


def an_iso(hours: int) -> str:
    return (TOMORROW + timedelta(hours=hours)).isoformat()


def test_free_busy_says_when_but_not_what(client: pycronofy.Client, calendar: str) -> None:
    """Free/busy rows carry no summary."""
    client.upsert_event(calendar, an_event())
    (row,) = client.read_free_busy().all()

    assert row["free_busy_status"] == "busy"
    assert "summary" not in row


def test_a_batch_is_answered_entry_by_entry(client: pycronofy.Client, calendar: str) -> None:
    """Two good writes, then one bad: a partial success with the field named."""
    good = BatchBuilder().upsert_event(calendar, an_event()).upsert_event(calendar, an_event(event_id="e-2"))
    client.batch(good)
    assert len(client.read_events().all()) == 2

    bad = BatchBuilder().upsert_event(calendar, an_event(summary="")).delete_event(calendar, "e-2")
    with pytest.raises(PyCronofyPartialSuccessError) as failed:
        client.batch(bad)
    (entry,) = failed.value.batch_response.errors()
    assert entry.status() == 422
    assert "summary" in entry.response["data"]["errors"]


def test_all_managed_events_go_at_once(client: pycronofy.Client, calendar: str) -> None:
    """The client names delete_all and calendar_ids in the query."""
    client.upsert_event(calendar, an_event())
    client.delete_all_events(calendar_ids=(calendar,))
    client.upsert_event(calendar, an_event(event_id="e-2"))
    client.delete_all_events()

    assert client.read_events().all() == []


def test_elevated_permission_is_asked_for_and_granted(
    client: pycronofy.Client,
    world: SimulatedWorld,
    calendar: str,
) -> None:
    """The person presses the button on the page, then external events can be deleted."""
    asked = [{"calendar_id": calendar, "permission_level": "unrestricted"}]
    url = client.elevated_permissions(asked, redirect_uri=BACK)["url"]
    assert requests.post(url, allow_redirects=False).headers["Location"] == BACK

    (external,) = world.add_event(calendar, summary="Lunch", start=an_iso(0), end=an_iso(1))
    client.delete_external_event(calendar, external["event_uid"])
    assert world.events(calendar) == []


class Listener(BaseHTTPRequestHandler):
    """Hands what is posted to the test."""

    got: "Queue[tuple[str, str]]" = Queue()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.got.put((self.headers["Cronofy-HMAC-SHA256"], body))
        self.send_response(202)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


def test_a_channel_is_told_of_changes_with_a_signature_that_the_client_accepts(
    address: str,
    client: pycronofy.Client,
    calendar: str,
) -> None:
    """Create twice (one channel), verification, change, HMAC, list, close."""
    with HTTPServer(("127.0.0.1", 0), Listener) as listening:
        threading.Thread(target=listening.serve_forever).start()
        callback = f"http://127.0.0.1:{listening.server_port}/notices"
        channel = client.create_notification_channel(callback, calendar_ids=(calendar,))
        assert client.create_notification_channel(callback, calendar_ids=(calendar,)) == channel
        url = f"{address}/_control/calendars/{calendar}/events"
        requests.post(url, json={"summary": "Lunch", "start": an_iso(0), "end": an_iso(1)})
        told = [Listener.got.get(timeout=60) for _ in range(2)]
        listening.shutdown()

    assert all(client.hmac_valid(signature, body) for signature, body in told)
    assert "verification" in told[0][1]
    assert "changes_since" in told[1][1]
    assert [each["channel_id"] for each in client.list_notification_channels()] == [channel["channel_id"]]
    client.close_notification_channel(channel["channel_id"])
    assert client.list_notification_channels() == []


def test_an_application_calendar_needs_no_person(address: str) -> None:
    """The first call creates it, the second finds it."""
    client = pycronofy.Client(client_id="client", client_secret=SECRET)
    client.request_handler.base_url = address

    first = client.application_calendar("team")
    assert first["sub"].startswith("apc_")
    assert client.application_calendar("team")["sub"] == first["sub"]
    assert client.list_calendars()[0]["provider_name"] == "cronofy"
