"""One file per chip or device: bus transfer, decode, and the chip's own plausibility; decides nothing."""
