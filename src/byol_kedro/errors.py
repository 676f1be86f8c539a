"""The one error that a user can mend."""


class UserError(Exception):
    """Something that whoever runs the project can put right.

    The message is one line: what, where, found, expected, what to do. The command line prints it alone;
    every other exception keeps its traceback.
    """
