"""Pages for people: consent at Cronofy, and the linked calendar as its owner sees it.

No program asks them.
"""
