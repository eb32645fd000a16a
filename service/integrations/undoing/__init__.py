"""What a person takes back (R50)."""
