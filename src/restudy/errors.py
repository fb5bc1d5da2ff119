"""What a user did that cannot work, said in one sentence."""


class UserError(Exception):
    """A mistake the user can mend.

    The message is one sentence: the value found, the value expected, what to do. The command
    line prints it without a traceback and exits with status 2.
    """
