"""Pages and API; ``application`` puts them together.

Who asks, in which form, and how the answer looks is decided here; what is done is a verb of ``integrations``
or ``operations``. ``pages`` and ``api`` do not know each other.
"""
