"""Known data sets: the six of the paper and others, as their publishers lay them out."""
