"""What a running gateway reports of itself: Prometheus metrics (`metrics`) and JSON-line logs (`log`).

Invariant 12: no identifier and no value of a subject is in either.
"""
