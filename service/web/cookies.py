"""Cookies as they are laid down and read back: never by script, and under https by this host alone."""

from datetime import timedelta

from fastapi import Request, Response


def cookie_name(name: str, *, https: bool, path: str = "/") -> str:
    """Under https a name that a browser lets only this very host set, and only securely.

    Without https, or beside a neighbour of the same domain, anybody could plant one of the plain name.
    """
    if not https:
        return name
    return f"__Host-{name}" if path == "/" else f"__Secure-{name}"


def lay_cookie(
    answer: Response, name: str, value: str, *, life: timedelta, https: bool, path: str = "/"
) -> None:
    """Sent back with requests to this path, and not with forms and scripts of other sites."""
    answer.set_cookie(
        cookie_name(name, https=https, path=path),
        value,
        max_age=int(life.total_seconds()),
        path=path,
        secure=https,
        httponly=True,
        samesite="lax",
    )


def cookie_of(request: Request, name: str, *, https: bool, path: str = "/") -> str | None:
    """What was laid down under that name for that path."""
    return request.cookies.get(cookie_name(name, https=https, path=path))


def drop_cookie(answer: Response, name: str, *, https: bool, path: str = "/") -> None:
    answer.delete_cookie(
        cookie_name(name, https=https, path=path), path=path, secure=https, httponly=True, samesite="lax"
    )
