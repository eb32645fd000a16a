"""A stand-in for Cronofy, written from its documentation alone; it knows nothing of this product."""
