"""From Vorex's messages to the linked calendars: intake, transaction A, lanes, transaction B, settling.

What an event should be is decided in ``handlers``; nothing here reads a calendar.
"""
