"""Errors of the server that a user can cure."""

from indexer.errors import UserError


class BackendProblem(UserError):
    """The model cannot be used; the sentence says why and what to do. Completions go on without the model."""
