"""What the store stands on: connections and transactions, the schema's state, ids, sets, leases, purging.

No table of a particular noun is written here.
"""
