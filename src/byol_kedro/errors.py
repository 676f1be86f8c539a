"""What the command line prints as one line."""


class UserError(Exception):
    """Something that whoever runs the project can put right.

    The message is one line: what, where, found, expected, what to do. The command line prints it alone;
    every other exception keeps its traceback.
    """


class StoppedError(UserError):
    """Ctrl-C, as an error that Kedro tells its hooks of: of a KeyboardInterrupt they do not hear."""

    def __init__(self) -> None:
        super().__init__(
            "stopped by Ctrl-C: what was finished is kept, nothing is half-written; type the same command again"
        )
