"""Which part of the documentation explains a page of the product."""

import re
from collections.abc import Mapping

DOCS_PATH = "/docs"
GUIDE_PATH = f"{DOCS_PATH}/user-guide"
OPERATING_PATH = f"{DOCS_PATH}/operating"
HELP_SECTIONS: Mapping[str, str] = {
    r"/my-calendar/item/mirror|/calendar-sync/[^/]+/mirror": f"{GUIDE_PATH}#who-sees-what",
    r"/my-calendar/item(/.*)?": f"{GUIDE_PATH}#an-item-and-its-story",
    r"/my-calendar/deleted": f"{GUIDE_PATH}#deleting-and-undo",
    r"/my-calendar/clock-changes": f"{GUIDE_PATH}#when-the-clocks-change",
    r"/my-calendar(/.*)?": f"{GUIDE_PATH}#my-calendar",
    r"/calendar-sync/connect(/.*)?|/calendar-sync/callback": f"{GUIDE_PATH}#connecting",
    r"/calendar-sync/exchange-help": f"{GUIDE_PATH}#exchange",
    r"/calendar-sync/[^/]+/settings/linked-calendar": f"{GUIDE_PATH}#linked-calendar",
    r"/calendar-sync/[^/]+/settings/your-calendar": f"{GUIDE_PATH}#your-calendar",
    r"/calendar-sync/[^/]+/settings/sync-options": f"{GUIDE_PATH}#sync-options",
    r"/calendar-sync/[^/]+/settings/confirmation": f"{GUIDE_PATH}#confirmation",
    r"/calendar-sync/[^/]+/runs/[^/]+/undo": f"{GUIDE_PATH}#undoing-a-sync",
    r"/calendar-sync/[^/]+/(logs|runs/.*)": f"{GUIDE_PATH}#logs",
    r"/calendar-sync/[^/]+/agreement": f"{GUIDE_PATH}#do-both-sides-agree",
    r"/calendar-sync/[^/]+/(watching|watch|begin)": f"{GUIDE_PATH}#watching-first",
    r"/calendar-sync/[^/]+/held(-.*)?": f"{GUIDE_PATH}#when-you-are-asked",
    r"/calendar-sync/[^/]+/delete": f"{GUIDE_PATH}#delete",
    r"/calendar-sync/[^/]+/(permission(/ask)?|migration)": f"{GUIDE_PATH}#events-that-you-made-yourself",
    r"/calendar-sync/[^/]+/reconnected": f"{GUIDE_PATH}#when-it-is-not-connected",
    r"/calendar-sync(/.*)?": f"{GUIDE_PATH}#the-list",
    r"/sessions(/.*)?|/sign-in|/signed-out": f"{GUIDE_PATH}#signing-in-and-out",
    r"/administration/company-calendar(/.*)?": f"{GUIDE_PATH}#all-technicians-at-once",
    r"/administration(/.*)?": f"{GUIDE_PATH}#for-administrators",
    r"/operations/questions": f"{OPERATING_PATH}#questions-to-the-dispatcher",
    r"/operations/dead-letters(/.*)?": f"{OPERATING_PATH}#dead-letters",
    r"/operations(/.*)?": f"{OPERATING_PATH}#operations-in-the-browser",
}
"""The first pattern that an address fits names the section."""
_SECTIONS = [(re.compile(pattern), section) for pattern, section in HELP_SECTIONS.items()]


def help_address(path: str) -> str:
    """Where *Help* leads from a page of that path; to the documentation's first page where none says more."""
    return next((section for pattern, section in _SECTIONS if pattern.fullmatch(path)), DOCS_PATH)
