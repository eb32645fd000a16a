"""What is shown rather than run: the demonstration, and the stand-in for Cronofy by itself."""

import asyncio

import structlog

from service import app as root
from service.app.server import SystemClock, address, at_its_port, listening, until
from service.cli.output import say
from service.demo.acceptance import walk
from service.demo.demonstration import CLIENT_ID, CLIENT_SECRET, Demo, demonstration
from service.demo.simulator.server import serve_async
from service.demo.stage import STAGE, Stage
from service.settings import Settings

log = structlog.get_logger(__name__)


async def simulate(settings: Settings) -> None:
    """Serve the simulator until the process is told to stop."""
    secrets = [secret.get_secret_value() for secret in settings.cronofy_client_secret]
    listening(settings.host, settings.simulator_port).close()

    def begun(at: str) -> None:
        reachable = address(settings.host, int(at.rpartition(":")[2]))
        log.info("process.started", command="simulator", address=reachable)

    await serve_async(
        host=settings.host,
        port=settings.simulator_port,
        client_id=settings.cronofy_client_id or CLIENT_ID,
        client_secret=",".join(secrets) or CLIENT_SECRET,
        begun=begun,
    )
    log.info("process.stopped", command="simulator")


async def demonstrate(settings: Settings) -> bool:
    """Everything in one process with the guide's walk; whether the walk failed."""
    async with (
        demonstration(at_its_port(settings)) as demo,
        root.everything(demo.settings, beside=Stage(demo.simulator).routes(), framed=True) as running,
    ):
        log.info("process.started", command="up", address=running.address, settings=demo.settings.summary())
        walking = asyncio.ensure_future(_walk(demo, running))
        await until(walking, running.minder.stopping)
        if walking.done() and not walking.cancelled():
            if not walking.result():
                return True
            say(f"Sign in as the demo user: {_link(demo, running)}")
            say(f"Or both calendars side by side: {_link(demo, running, STAGE)}")
            say(f"The linked calendar, as Cronofy's stand-in shows it: {demo.simulator}")
            say(f"ready {running.address}")
        await running.minder.until_stopped()
        log.info("process.stopping", command="up")
    log.info("process.stopped", command="up")
    return False


async def _walk(demo: Demo, running: root.Running) -> bool:
    token = demo.sign_in_token(SystemClock())
    return await walk(product=running.address, calendar_provider=demo.simulator, token=token, say=say)


def _link(demo: Demo, running: root.Running, page: str = "") -> str:
    following = f"&next={page}" if page else ""
    return f"{running.address}/sign-in?token={demo.sign_in_token(SystemClock())}{following}"
