"""The documentation under ``/docs``: the handbook, and what is read from the two descriptions.

Public: it says nothing of an installation or of anybody in it.
"""

from service.web.pages.docs.views import router

__all__ = ["router"]
