"""What a running gateway reports of itself: Prometheus metrics (`metrics`), traces of some inquiries (`traces`) and
JSON-line logs (`log`).

Invariant 12: no identifier and no value of a subject is in any of them.
"""
