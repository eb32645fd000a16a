"""The JSON API under ``/api/v1``: a file for each noun; verbs are called, never decided here."""
