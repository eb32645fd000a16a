"""What a replay of dead letters would do, and how fast it may go. Pure.

Nothing here replays: who does asks what would come of it, and paces it by these.
"""
