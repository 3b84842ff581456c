"""Server-sent events, as they come in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dhess.client.errors import RemoteError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class Lines(Protocol):
        """Something that is read line by line."""

        def readline(self, limit: int, /) -> bytes:
            """Return the next line, or as many bytes of it."""


LONGEST: Final = 4_000_000
"""Bytes of one line; a job has some thousand."""


def events_of(stream: Lines) -> Iterator[tuple[str, str]]:
    r"""Yield the name and the data of each event, until the stream ends.

    Raises
    ------
    RemoteError
        If a line is too long to be of a gateway.

    Examples
    --------
    >>> import io
    >>> list(events_of(io.BytesIO(b": hello\n\nevent: job\ndata: {}\n\ndata: cut off")))
    [('job', '{}')]
    """
    name, data = "message", list[str]()
    while text := stream.readline(LONGEST):
        if len(text) >= LONGEST:
            raise RemoteError(f"the server sent a line of more than {LONGEST:,} bytes; check it")
        line = text.decode(errors="replace").rstrip("\r\n")
        key, _, value = line.partition(":")
        if key == "event":
            name = value.removeprefix(" ")
        elif key == "data":
            data.append(value.removeprefix(" "))
        elif not line:
            if data:
                yield name, "\n".join(data)
            name, data = "message", []
