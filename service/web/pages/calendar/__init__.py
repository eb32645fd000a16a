"""*My Calendar*: what it shows, and what is done to appointments there (G4, G17, R49, R50)."""
