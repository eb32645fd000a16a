"""What all processes share or tell each other: the budget's row, their last words, what stands still.

What it means for people is told in ``service.operations``.
"""
