"""The log of each integration: written with every change, read page by page.

Its entries are worded in ``handlers.log_entries``.
"""
