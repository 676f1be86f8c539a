"""Errors that the command line prints on one line."""


def escaped(text: str) -> str:
    r"""Return the text with non-printable characters as escapes: `a\xff\nb`."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    if 0x80 <= ord(character) <= 0xFF:  # not \x85 for U+0085: that is how the byte is written
        return f"\\u{ord(character):04x}"
    return character.encode("unicode_escape").decode("ascii")


class UserError(Exception):
    """An error that the user can fix.

    The message says on one line what is wrong and where, what was expected and what to do. The command line prints
    it without a traceback.
    """

    def __init__(self, message: str) -> None:
        """Create the error; non-printable characters in `message` are escaped."""
        super().__init__(escaped(message))  # file names may contain line breaks, terminal codes and invalid UTF-8


class StoppedError(UserError):
    """Ctrl-C. Kedro calls its error hooks for this error, but not for KeyboardInterrupt."""

    def __init__(self) -> None:
        """Create the error."""
        super().__init__("stopped by Ctrl-C; finished outputs are kept, partial ones removed; run the command again")
