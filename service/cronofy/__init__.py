"""Cronofy behind one door: the gateway, the accounts' tokens, the shared budget and the breaker.

Nobody else speaks HTTP to Cronofy. The room knows no store: where tokens and the budget are kept is an
argument, and ``service.app`` puts its pieces together.
"""
