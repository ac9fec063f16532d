"""The few error types of the project. Each message says what was wrong, where, and what to do next."""


class T2SError(Exception):
    """Base of every error a user may see; the CLI prints the message without a traceback."""


class TraceError(T2SError):
    """A trace file or record cannot become a TraceRecord; the record goes to quarantine with this text."""


class StoreBusy(T2SError):
    """Another program holds the database; what was to be written stays staged and is loaded later."""


class StoreError(T2SError):
    """The database or something staged for it cannot be used: damaged, foreign, or of another version."""


class EditRefused(T2SError):
    """An edit or patch does not fit the document it names; nothing was written."""


class SkillInvalid(T2SError):
    """A skill directory breaks the Agent Skills specification or our stricter limits."""


class EndpointError(T2SError):
    """A model endpoint did not give a usable answer."""


class BudgetExceeded(T2SError):
    """The next model call could overrun the budget set for this run."""
