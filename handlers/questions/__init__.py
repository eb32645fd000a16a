"""Questions to the dispatcher: when one is asked, and what an answer does (R52). Pure."""
