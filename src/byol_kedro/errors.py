"""What the command line prints as one line."""


def escaped(text: str) -> str:
    """The text with what a terminal cannot show written out: `a\\xff\\nb`; other texts are unchanged."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(letter: str) -> str:
    if letter.isprintable():
        return letter
    if "\udc80" <= letter <= "\udcff":  # a byte that is no UTF-8
        return f"\\x{ord(letter) - 0xDC00:02x}"
    # Not \x85 for U+0085: so the byte is written.
    return f"\\u{ord(letter):04x}" if 0x80 <= ord(letter) <= 0xFF else letter.encode("unicode_escape").decode("ascii")


class UserError(Exception):
    """Something that whoever runs the project can put right.

    The message is one line: what, where, found, expected, what to do. The command line prints it alone;
    every other exception keeps its traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(escaped(message))  # names of files may hold line breaks, colors, and bytes that are no text


class StoppedError(UserError):
    """Ctrl-C, as an error that Kedro tells its hooks of: of a KeyboardInterrupt they do not hear."""

    def __init__(self) -> None:
        super().__init__(
            "stopped by Ctrl-C: what was finished is kept, nothing is half-written; type the same command again"
        )
