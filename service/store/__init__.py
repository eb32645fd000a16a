"""The database, and all SQL there is: a room for each noun, over ``engine`` and ``tables``.

Functions take a connection and do one thing in its transaction; who begins and ends transactions, and why,
is the callers' affair. No rule is decided here.
"""
