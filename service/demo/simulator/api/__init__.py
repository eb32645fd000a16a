"""Cronofy's documented API: tokens, limits, reads, writes and batches, request by request."""
