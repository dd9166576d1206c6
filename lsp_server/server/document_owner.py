"""The session that a document belongs to, and whether anything of the document may be used."""

from dataclasses import dataclass
from pathlib import Path

from indexer import fsio
from lsp_server.server.session import Session


@dataclass(frozen=True, slots=True)
class Owner:
    """The session of a document.

    :param path: below the session's root, as the index spells it; None outside.
    :param excluded: why nothing of the document may be used, or None.
    """

    session: Session
    path: str | None
    language: str
    excluded: str | None


def private_reasons() -> tuple[str, ...]:
    """The reasons of ``policy`` that forbid any use of a file; the others only keep it out of the index."""
    from indexer.repository import policy

    return (policy.EXCLUDED, policy.ONDOLIGNORED, policy.KEY_FILE, policy.OWN_DATA, policy.VERSION_CONTROL)


def excluded_reason(session: Session, relative: str | None, path: str | None) -> str | None:
    """The private reason why nothing of a file may be used, or None."""
    from indexer.repository import policy, walk

    if path is None:
        return None
    if policy.is_version_control(relative or path) or ".git" in Path(path).parts:
        return policy.VERSION_CONTROL
    private = private_reasons()
    if relative is None or session.root is None:
        reason = policy.accepts_path(path.lstrip("/"), session.settings)
        return reason if reason in private else None
    real = session.relative(str(fsio.real_path(path))) or relative
    for candidate in {relative, real}:
        reason = walk.excluded(session.root, candidate, session.settings)
        if reason in private:
            return reason
    return None
