"""The simulator is a long-running process like the others."""

from typing import Any


async def test_it_says_that_it_is_alive_and_ready(api: Any) -> None:
    """The forms of the service's own, without a token."""
    del api.http.headers["Authorization"]
    alive, ready = await api.http.get("/healthz"), await api.http.get("/readyz")
    assert alive.status_code == 200
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "because": []})


async def test_it_counts_its_answers_for_prometheus(api: Any) -> None:
    """Requests by status, and nothing of the process around it."""
    await api.read()
    told = await api.http.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    assert 'simulator_requests_total{status="200"} 1.0' in told.text.splitlines()
    assert "python_gc" not in told.text
