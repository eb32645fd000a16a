"""What becomes of a person's integrations when that person leaves, and the signed record of it (R54)."""
