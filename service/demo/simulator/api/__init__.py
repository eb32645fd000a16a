"""Cronofy's documented API: tokens, limits, reads, writes and batches, request by request.

What a calendar holds, and when a write arrives there, is not decided here.
"""
