"""Runs: a chain of steps, each one transaction, from the reading at Finish on (DESIGN 8)."""

from service.runs.handler import RunHandler

__all__ = ["RunHandler"]
