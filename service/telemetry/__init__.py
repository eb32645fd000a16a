"""How the service speaks to whoever watches it: log lines, metrics, and the addresses that show them.

Everything may import this room; it imports nothing of ours but contracts.
"""
