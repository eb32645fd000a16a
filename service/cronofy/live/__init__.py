"""What is assumed of Cronofy, tried on a calendar without a person: ``doctor --live``.

``trial`` says what one finding is, ``calendar`` speaks with the calendar, and ``account``, ``writing`` and
``reading`` hold the trials, each under the number that it has in contracts/CRONOFY.md.
"""
