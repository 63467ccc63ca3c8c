"""A model behind HTTP: `segnext serve`, its API and its page.

A request goes gate -> app -> bodies -> intake -> engine -> answers. Its bytes are never written to
disk, and nothing of them comes back: every answer is drawn anew from the mask.
"""
