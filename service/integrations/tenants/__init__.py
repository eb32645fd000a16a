"""What administrators and operators see of a tenant's integrations and do with them (R47)."""
