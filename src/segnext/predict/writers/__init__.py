"""Masks as the files of annotation programs, one format a file."""
