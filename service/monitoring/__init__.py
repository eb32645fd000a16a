"""What processes tell of themselves: gauges for Prometheus, a heartbeat in the store, and readiness.

Sentences for operators are not made here but in ``operations``.
"""
