"""int8 TFLite models: bytes and a card in, a predict() out."""
