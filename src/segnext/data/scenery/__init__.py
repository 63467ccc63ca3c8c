"""The painted world of the synthetic scenes: canvas, things, street."""
