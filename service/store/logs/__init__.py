"""The log of each integration: written with every change, read page by page.

Their words are the rules', each in ``handlers`` where it is decided.
"""
