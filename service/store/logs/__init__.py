"""The log of each integration: written with every change, read page by page."""
