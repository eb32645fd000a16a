"""Runs: a chain of steps, each one transaction, from the reading at Finish on, and their rehearsal.

Which item or event is to be written is decided in ``handlers``; a run is asked for in ``integrations``.
"""
