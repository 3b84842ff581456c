"""Which gateway is asked, with which token: arguments, the environment, or a file."""

from __future__ import annotations

import ipaddress
import os
import re
import stat
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from dhess.errors import DhessWarning, InputError, suggest, warn_caller

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVER: Final = "http://127.0.0.1:8765"
"""Where ``dhess serve`` listens by default."""
KEYS: Final = ("server", "token", "ca")
"""What a configuration file may hold."""
LONGEST: Final = 10_000
"""Bytes of a file that could hold a token or a configuration."""


@dataclass(frozen=True)
class Access:
    """The address of a gateway, and what it takes to be let in."""

    server: str
    token: str | None = field(default=None, repr=False)
    ca: str | None = None
    """PEM file of the authority that its certificate is to be signed by."""

    @classmethod
    def of(
        cls,
        server: str | None = None,
        token: str | None = None,
        *,
        token_file: str | None = None,
        ca: str | None = None,
    ) -> Self:
        """Return what was given; what was not, from the environment or else the file.

        A token or an authority in the file is for the server in the file, and is shown to no
        other.

        Raises
        ------
        InputError
            If the address or a file is not what it has to be, or others can read a token.
        """
        file = config_path()
        known = read_config(file) if file.exists() else {}
        place = checked(server or os.environ.get("DHESS_SERVER") or known.get("server", SERVER))
        if place != checked(known.get("server", SERVER)):
            known = {}
        token = token or _token_of(token_file) or os.environ.get("DHESS_TOKEN") or None
        if token is None:
            token = _token_of(os.environ.get("DHESS_TOKEN_FILE")) or known.get("token")
        ca = ca or os.environ.get("DHESS_CA") or known.get("ca")
        found = cls(place, None if token is None else _checked_token(token), ca)
        if found.token and place.startswith("http://") and not found.is_near:
            warn_caller(
                f"the token goes to {place} over plain http, where others may read it; use https",
                DhessWarning,
            )
        return found

    @property
    def is_near(self) -> bool:
        """Whether the gateway is on this very machine."""
        return is_loopback(urlsplit(self.server).hostname or "")


def checked(server: str) -> str:
    """Return the address of a gateway in its usual form.

    Raises
    ------
    InputError
        If it is none.

    Examples
    --------
    >>> checked("HTTPS://Gateway.example:443/dhess/")
    'https://gateway.example/dhess'
    """
    if "@" in server:
        raise InputError(
            "a server's address has no user name and no password; give it a token of its own "
            "(--token-file, DHESS_TOKEN)"
        )
    try:
        parts = urlsplit(server)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    known = {"http": 80, "https": 443}
    plain = re.fullmatch(r"[!-~]+", server) and not parts.query and not parts.fragment
    if not plain or parts.scheme not in known or not parts.hostname:
        raise InputError(f"server {server!r} is no address of a gateway; write it as {SERVER}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = host if port in (None, known[parts.scheme]) else f"{host}:{port}"
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}"


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address is always this machine's own.

    Examples
    --------
    >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("192.0.2.1")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def config_path() -> Path:
    """Return where the configuration file is, if there is one."""
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(folder) if Path(folder).is_absolute() else Path("~/.config").expanduser()
    return base / "dhess" / "config.toml"


def read_config(file: Path) -> Mapping[str, str]:
    """Return the keys of a configuration file.

    Raises
    ------
    InputError
        If it cannot be read, has an unknown key, or has a token that others can read.
    """
    try:
        found: dict[str, Any] = tomllib.loads(_text(file, "configuration file"))
    except tomllib.TOMLDecodeError as error:
        # Not with the words of the parser: they may quote the token.
        raise InputError(
            f'configuration file {str(file)!r} is not valid TOML; write server = "{SERVER}"'
        ) from error
    for key, value in found.items():
        if key not in KEYS:
            raise InputError(
                f"unknown key {key!r} in configuration file {str(file)!r}; {suggest(key, KEYS)}"
            )
        if not isinstance(value, str):
            raise InputError(
                f"{key} in configuration file {str(file)!r} has to be text in quotes, and is a "
                f"{type(value).__name__}"
            )
    if "token" in found:
        _refuse_readable(file, "configuration file")
    if "ca" in found:
        found["ca"] = str(file.parent / Path(found["ca"]).expanduser())
    return found


def _token_of(path: str | None) -> str | None:
    """Return the token that is all that a file holds."""
    if not path:
        return None
    file = Path(path).expanduser()
    _refuse_readable(file, "token file")
    token = _text(file, "token file").strip()
    if not token:
        raise InputError(f"token file {path!r} is empty; put there what 'dhess token add' printed")
    return token


def _text(file: Path, what: str) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(LONGEST).decode()
    except (OSError, UnicodeDecodeError) as error:
        told = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"{what} {str(file)!r} cannot be read: {told}; check the path") from error


def _refuse_readable(file: Path, what: str) -> None:
    """Refuse a file of ours with a token that others can read; what is not ours we cannot mend."""
    try:
        known = file.stat()
    except OSError:
        return  # which reading it will say
    if os.name == "posix" and known.st_uid == os.getuid() and known.st_mode & 0o077:
        raise InputError(
            f"{what} {str(file)!r} has a token, and others can read it (mode "
            f"{stat.S_IMODE(known.st_mode):04o}); run: chmod 600 {file}"
        )


def _checked_token(token: str) -> str:
    """Return a token that can stand in a header; it is never quoted in an error."""
    token = token.strip()
    if not re.fullmatch(r"[!-~]{1,500}", token):
        raise InputError(
            "the token is none that 'dhess token add' printed: it has blanks, line breaks or "
            "letters beyond ASCII; copy it again"
        )
    return token
