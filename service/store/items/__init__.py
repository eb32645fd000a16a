"""Items and their assignees, and My Calendar as it is read from them.

Versions are judged before, in ``handlers``.
"""
