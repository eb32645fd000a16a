"""What a run changed, and how that is put back where nobody has changed it since (R50). Pure."""
