"""What is about texts: an item as an event, html as plain text, and what a provider makes of a text.

Pure, like all of ``handlers``; nothing here knows links or reads.
"""
