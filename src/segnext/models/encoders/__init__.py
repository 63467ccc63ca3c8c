"""Encoders of the baselines, built from `transformers` and made to behave as MSCAN does."""
