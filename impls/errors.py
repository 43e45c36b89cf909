"""The two refusals that a user can meet: wrong input, and a case that a trainer was not made for."""


class InputError(ValueError):
    """What the caller gave cannot be used. The message is one line that names the thing and the remedy."""


class Unsupported(Exception):
    """This trainer was not made for this network, batch size or machine. The message says why.

    Raised by a trainer's constructor; the bench shows the case as skipped, with the message as its reason.
    """
