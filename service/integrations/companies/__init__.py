"""All people of a company at once: the administrator's one consent, and what follows for each of them."""
