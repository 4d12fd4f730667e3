"""Why a model does not take part. Whoever catches `ModelRefused` goes on without it, and says so."""


class ModelRefused(Exception):
    """The file, its card, or the two together cannot be trusted."""


class CardFault(ModelRefused, ValueError):
    """The card is not of the documented form: which key, which value, what would be right."""


class NoRuntime(ModelRefused):
    """Nothing on this machine can run a TFLite model."""
