"""What ends a program in one line: something that the user can put right."""


class UserError(Exception):
    """An argument, a folder or a model that is not as it must be: what was expected, what was
    received, what to do, in one line."""


class DataError(UserError, ValueError):
    """Data that cannot be read: where, what was expected, what was found, in one line."""
