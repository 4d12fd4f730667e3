"""Files and feeds that come in or go out, as text: no file is opened here. Knows nouns only."""
