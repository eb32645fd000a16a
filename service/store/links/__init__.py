"""Links and their claims: the desired and the agreed state of each pair, and what is left of ended ones.

A link's state is set in ``handlers.link_states``; the four sets that are moved here at once are named there.
"""
