"""Errors of the server that a person can cure."""

from indexer.errors import UserError


class BackendProblem(UserError):
    """The model cannot serve; the sentence says why and what to do. The engine goes on without it."""
