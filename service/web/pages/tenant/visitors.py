"""Who may open these pages and send their forms."""

from typing import Annotated

from fastapi import Depends

from service.web.dependencies import require_administrator, require_company_administrator
from service.web.pages.form import FormSubmission, PageVisitor, SentForm
from service.web.tokens import Visitor


def _administrator(visitor: PageVisitor) -> Visitor:
    return require_administrator(visitor)


def _by_administrator(form: SentForm) -> FormSubmission:
    require_administrator(form.visitor)
    return form


def _company_administrator(visitor: PageVisitor) -> Visitor:
    return require_company_administrator(visitor)


def _by_company_administrator(form: SentForm) -> FormSubmission:
    require_company_administrator(form.visitor)
    return form


CompanyAdministrator = Annotated[Visitor, Depends(_company_administrator)]
CompanyAdministratorForm = Annotated[FormSubmission, Depends(_by_company_administrator)]
Administrator = Annotated[Visitor, Depends(_administrator)]
AdministratorForm = Annotated[FormSubmission, Depends(_by_administrator)]
