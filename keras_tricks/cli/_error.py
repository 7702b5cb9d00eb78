"""What goes wrong in ways a user can mend."""


class CommandError(Exception):
    """An error that is told in one message, without a traceback.

    Args:
        message: What is wrong and what to do about it.
        exit_code: 2 where the command cannot be run as given, 1 where it failed midway, 130 where it was interrupted.
    """

    def __init__(self, message: str, exit_code: int = 2):
        super().__init__(message)
        self.exit_code = exit_code
