"""A stand-in for Cronofy, written from its documentation alone; it knows nothing of this product.

Rooms: the API over the calendars, the pages over both. What it shows is what was documented or seen, and
what is unkind there is a switch in ``faults``.
"""
