"""Vital signs, read in one place, and who tells them: gauges for Prometheus, a heartbeat, readiness.

Sentences for operators are not made here but in ``operations``.
"""
