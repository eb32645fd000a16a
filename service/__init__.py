"""The running product: processes, pages, consumers, gateways and the store.

Every room below says in its first lines what lives there and what may not. Imports go one way, from
``cli`` and ``app`` down to ``settings``; the pure rules are in ``handlers``, the messages in ``contracts``.
"""
