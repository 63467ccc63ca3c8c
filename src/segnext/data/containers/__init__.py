"""Files in folders, archives, tar shards and tables, reached by one kind of path."""
