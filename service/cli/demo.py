"""What is shown rather than run: the demonstration, and the stand-in for Cronofy by itself."""

import asyncio

import structlog
from starlette.routing import BaseRoute

from service import app as root
from service.app.server import (
    SystemClock,
    listening_socket,
    local_address,
    wait_unless_stopping,
    with_bound_port,
)
from service.cli.output import print_line
from service.demo.acceptance import walk_all
from service.demo.demonstration import DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, Demo, demonstration
from service.demo.door import DOOR_PATH, Door
from service.demo.simulator.server import serve_async
from service.demo.stage import STAGE_PATH, Stage
from service.settings import Settings

log = structlog.get_logger(__name__)


async def simulate(settings: Settings) -> None:
    """Serve the simulator until the process is told to stop."""
    secrets = [secret.get_secret_value() for secret in settings.cronofy_client_secret]
    listening_socket(settings.host, settings.simulator_port).close()

    def begun(at: str) -> None:
        reachable = local_address(settings.host, int(at.rpartition(":")[2]))
        log.info("process.started", command="simulator", address=reachable)

    await serve_async(
        host=settings.host,
        port=settings.simulator_port,
        client_id=settings.cronofy_client_id or DEMO_CLIENT_ID,
        client_secret=",".join(secrets) or DEMO_CLIENT_SECRET,
        begun=begun,
    )
    log.info("process.stopped", command="simulator")


async def demonstrate(settings: Settings) -> bool:
    """Everything in one process with the guide's walk; whether the walk failed."""
    async with (
        demonstration(with_bound_port(settings)) as demo,
        root.everything(demo.settings, beside=_beside(demo), framed=True) as running,
    ):
        log.info("process.started", command="up", address=running.address, settings=demo.settings.summary())
        walking = asyncio.ensure_future(_walk(demo, running))
        await wait_unless_stopping(walking, running.minder.stopping)
        if walking.done() and not walking.cancelled():
            if not walking.result():
                return True
            print_line(f"Fresh links to sign in, whenever you need them: {running.address}{DOOR_PATH}")
            print_line(f"Sign in as the demo user: {_link(demo, running)}")
            print_line(f"Or both calendars side by side: {_link(demo, running, STAGE_PATH)}")
            print_line(f"The linked calendar, as Cronofy's stand-in shows it: {demo.simulator}")
            print_line(f"ready {running.address}")
        await running.minder.until_stopped()
        log.info("process.stopping", command="up")
    log.info("process.stopped", command="up")
    return False


def _beside(demo: Demo) -> list[BaseRoute]:
    door = Door(lambda role: demo.sign_in_token(SystemClock(), role=role))
    return [*Stage(demo.simulator).routes(), *door.routes()]


async def _walk(demo: Demo, running: root.RunningProcess) -> bool:
    token = demo.sign_in_token(SystemClock())
    return await walk_all(
        product=running.address, calendar_provider=demo.simulator, token=token, say=print_line
    )


def _link(demo: Demo, running: root.RunningProcess, page: str = "") -> str:
    following = f"&next={page}" if page else ""
    return f"{running.address}/sign-in?token={demo.sign_in_token(SystemClock())}{following}"
