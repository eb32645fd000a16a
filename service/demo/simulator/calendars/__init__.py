"""The calendars at the providers, what Cronofy caches of them, and how writes and notices travel.

No request is parsed here.
"""
