"""The rules, pure: values in, values out.

Here lives what is decided about items, events, links and messages; every rule of ``RULES.md`` names its
file. Nothing here does I/O, waits, reads a clock or knows SQL, HTTP, AMQP: that is ``service``.
"""
