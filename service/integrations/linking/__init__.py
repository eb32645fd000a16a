"""What comes before an integration is there, consents, and how grants are left that nobody uses."""
