"""How counts read in sentences."""


def counted(count: int, one: str, more: str = "") -> str:
    """Return a count with its noun, such as "1 row" or "3 rows"; `more` is the plural where no s makes it."""
    return f"{count} {one if count == 1 else more or one + 's'}"
