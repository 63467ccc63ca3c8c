"""Decoders of the baselines, written from their papers."""
