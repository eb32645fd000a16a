"""``python -m service`` is ``calendar-sync``."""

from service.cli import main

main()
