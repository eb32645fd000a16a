"""From Cronofy's notices to My Calendar: a notice becomes a read, a read becomes one transaction a page.

What a row means is decided in ``handlers``; nothing here writes to a linked calendar.
"""
