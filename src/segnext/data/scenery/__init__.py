"""The painted worlds of the synthetic scenes: one file per domain, and what they share."""
