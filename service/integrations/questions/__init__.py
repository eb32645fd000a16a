"""Questions to dispatchers: asked, and closed when nothing is to be answered any more (R52)."""
