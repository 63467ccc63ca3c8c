"""Ways in which people keep labelled pictures, each read in place."""
