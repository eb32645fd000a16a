"""Links and their claims: the desired and the agreed state of each pair, and what is left of ended ones."""
