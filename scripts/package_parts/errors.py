"""What keeps a package from being built."""


class PackageError(Exception):
    """Said in one sentence, with what would help."""
