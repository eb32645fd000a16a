"""Events that came and are not plainly new: of a series, like what is there, beyond any clock.

Pure. ``inbound_page`` asks these before it brings anything.
"""
